"""What becomes of every captured payload, by file pattern; the first pattern that fits says it."""

from __future__ import annotations

from tests.payloads import bmc_readers, readers, site_readers, slurm_readers
from tests.payloads.index import Compared, Empty, NotOurs, Read, Refused, Rule

ALERTS: tuple[Rule, ...] = (
    ("alertmanager/*_alerts_groups.json", Read(site_readers.alert_groups)),
    ("alertmanager/*_silences.json", Read(site_readers.silences)),
    ("alertmanager/*_metrics", Refused(site_readers.no_alerts, "the alerts are not what the API v2 promises")),
    ("checks-output/cloudevent-nvsentinel-1.json", Read(site_readers.health_event)),
    ("checks-output/junit-*.xml", Compared(site_readers.junit_form)),
)

PAGES: tuple[Rule, ...] = (
    ("dcgm-exporter/*.csv", Compared(readers.counters)),
    # A file of counters, whatever its name says.
    ("dcgm-exporter/readme-3.txt", Compared(readers.counters)),
    ("dcgm-exporter/nvdocs-dcgm-exporter-0.prom", Refused(readers.no_page, "n1:9400: the page has no samples")),
    ("dcgm-exporter/*.prom*", Read(readers.page)),
    ("dcgm-exporter/readme-*.txt", Read(readers.page)),
    ("prom-text/dump-openmetrics-test.prom", Refused(readers.no_page, "n1:9400: the page has no GPU metrics")),
    ("prom-text/linux-*.prom", Read(readers.foreign_page)),
)

PROMETHEUS: tuple[Rule, ...] = (
    ("prometheus-api/*_AIServiceMetrics_ViaPrometheus_output-15-1.json", Empty(readers.answer, "no series at all")),
    ("prometheus-api/cncf-*.json", Read(readers.answer)),
    ("prometheus-api/promdocs-0[12]-*.json", Read(readers.answer)),
    ("prometheus-api/slurmweb-*-hour.json", Read(readers.answer)),
    ("prometheus-api/promdocs-0[678]-*.json", Read(readers.names)),
    ("prometheus-api/prometheus-openapi-3.1.yaml", Compared(readers.openapi)),
    ("prometheus-api/promdocs-09-*.json", Refused(readers.no_answer, "not what the query API promises")),
    ("prometheus-api/promdocs-11-*.json", Refused(readers.no_answer, "not what the query API promises")),
    ("prometheus-api/slurmweb-status.json", Refused(readers.no_answer, "not what the query API promises")),
    # Answers of endpoints that we do not ask, given to the reader of queries.
    ("prometheus-api/promdocs-*.json", Refused(readers.no_answer, "lab/exporters: the answer ")),
)

KERNEL: tuple[Rule, ...] = (
    ("kernel-xid/*.log", Read(site_readers.kernel_log)),
    ("kernel-xid/gpud-lines-*.txt", Read(site_readers.kernel_log)),
    ("kernel-xid/xid-catalog.tsv", Compared(site_readers.xid_catalogue)),
    ("kernel-xid/nverror-*.tsv", Compared(site_readers.xid_numbers)),
)

KUBERNETES: tuple[Rule, ...] = (
    ("kubernetes/cncf-dra-*.txt", NotOurs("a ResourceSlice: claims of dynamic allocation are not listed")),
    ("kubernetes/cncf-v1.3?_giantswarm_*-2.txt", Empty(site_readers.pods, "a pod that asks for no GPU")),
    ("kubernetes/cncf-v1.34_giantswarm_*.txt", Empty(site_readers.pods, "GPUs by claims alone, which are not listed")),
    ("kubernetes/cncf-*_kubermatic_*-5.txt", Empty(site_readers.pods, "a pod that asks for no GPU")),
    ("kubernetes/cncf-*.txt", Read(site_readers.pods)),
    ("kubernetes/k9s-no.json", Read(site_readers.kube_node)),
    ("kubernetes/k9s-po.json", Empty(site_readers.pod, "a pod without GPUs is no job of ours")),
    ("kubernetes/nvsentinel-kwok-node-template.yaml", Read(site_readers.kube_node)),
    ("kubernetes/kueue-jobs-12.yaml", NotOurs("the words of `kubectl describe job`; no server sends them")),
    ("kubernetes/kueue-troubleshooting_jobs-20.yaml", NotOurs("the counts of a Job; its pods are what is read")),
    ("kubernetes/kueue-*.yaml", Read(site_readers.workload)),
    ("kubernetes/nvsentinel-*.json", Read(site_readers.health_event)),
    ("kubernetes/nvsentinel-INTEGRATIONS.md", Compared(site_readers.sentinel_names)),
    ("kubernetes/nvsentinel-event-exporter.md", Read(site_readers.documented_event)),
    ("kubernetes/nvsentinel-METRICS.md", NotOurs("documentation of the metrics of NVSentinel itself")),
)

OTHER_FORMS = {
    "*.q.txt": "the text of `nvidia-smi -q`",
    "gpud-nvidia-smi-query.*.txt": "the text of `nvidia-smi -q`",
    "*.table.txt": "the table of a bare `nvidia-smi`",
    "gpud-nvidia-smi.*.txt": "the table of a bare `nvidia-smi`",
    "*.dmon.txt": "`nvidia-smi dmon`",
    "*.pmon.txt": "`nvidia-smi pmon`",
    "*.L.txt": "the list of `nvidia-smi -L`",
    "*.nvlink-s.txt": "`nvidia-smi nvlink -s`",
    "cap-linux-*.topo-m.txt": "`nvidia-smi topo -m`",
    "cap-windows-*.topo-m.txt": "a complaint about nvidia-smi's arguments",
    "*.compute-apps.csv": "`nvidia-smi --query-compute-apps`",
    "*.retired-pages.csv": "`nvidia-smi --query-retired-pages`",
}
NVIDIA_SMI: tuple[Rule, ...] = (
    ("nvidia-smi/*.xml", Read(readers.smi_xml)),
    ("nvidia-smi/*.query-gpu.csv", Read(readers.smi_rows)),
    *(
        (f"nvidia-smi/{pattern}", Refused(readers.smi_stream, f"lab/ssh: n1: it prints {what}, not the rows"))
        for pattern, what in OTHER_FORMS.items()
    ),
)

REDFISH: tuple[Rule, ...] = (
    *(
        (f"redfish/*{part}.json", NotOurs("a part that its node tells of itself; a visit to a BMC does not ask for it"))
        for part in ("_Memory", "DRAM_0", "__MemoryMetrics", "gpu_memory", "gpu_memory_metrics", "__ProcessorMetrics",
                     "_GPU_0_ProcessorMetrics", "processor_metrics_*", "_Memory_GPU_0_DRAM_0_EnvironmentMetrics",
                     "_Processors_GPU_0_EnvironmentMetrics", "_Ports", "_NVLink_0", "_NVLink_0_Metrics")
    ),
    *(
        (f"redfish/{part}.json", NotOurs("neither health nor power nor heat: a visit does not ask for it"))
        for part in ("*__Assembly", "*__AccelerationFunctions", "*__AccelerationFunctions__*", "*_LeakDetectionPolicy",
                     "*/hp__hp_storage")
    ),
    *(
        (f"redfish/{name}.json", Empty(bmc_readers.resource, why))
        for name, why in {
            "dmtf-rackmount1/*__PowerSupplies__Bay2": "an empty bay",
            "dmtf-rackmount1/*__Processors__CPU2": "an empty socket",
            "idrac/*_NetworkFabric.1": "a chassis without sensors",
            "idrac/*_Systems_System.Embedded.1": "its identity was blotted out",
            "lambda/powershelf_none__rv1__Chassis__Server_0": "a chassis without sensors",
            "lambda/processors_collection": "a collection without members",
            "lambda/system1": "a system without identity",
            "smc-gb300/*_PowerSupplies": "a tray is fed by its rack",
            "smc-gb300/*_Fans": "a tray cooled by liquid",
            "smc-gb300/*_HGX_Chassis_0_EnvironmentMetrics": "a board without a meter of its own",
            "smc-gb300/*_HGX_*_ThermalMetrics": "no air inlet among its temperatures",
            "smc-x10/*_Power": "a BMC that reads nothing while the machine is off",
            "smc-x10/*_Thermal": "a BMC that reads nothing while the machine is off",
        }.items()
    ),
    ("redfish/*.json", Read(bmc_readers.resource)),
)  # fmt: skip

UNFOUND = "lab/slurm: .*Invalid job id specified: Unable to query JobId="
NO_TOKEN = "lab/slurm: HTTP (401|500|511) .*(wants a|refuses the) token"
SLURM: tuple[Rule, ...] = (
    ("slurm/datadog/sinfo_gres_2505.txt", Read(slurm_readers.sinfo)),
    ("slurm/datadog/squeue.txt", Read(slurm_readers.squeue)),
    ("slurm/gcm/sample-scontrol-output.txt", Read(slurm_readers.partitions)),
    ("slurm/gcm/sample-sinfo-output.txt", Read(slurm_readers.sinfo)),
    ("slurm/gcm/sample-squeue-output.txt", Read(slurm_readers.squeue)),
    ("slurm/*diag.json", Read(slurm_readers.diag)),
    ("slurm/rivosinc/sinfo_out.json", Read(slurm_readers.nodes)),
    ("slurm/rivosinc/squeue_out.json", Read(slurm_readers.jobs)),
    ("slurm/rivosinc/*.txt", Refused(slurm_readers.scontrol, "what scontrol printed is no list of nodes")),
    ("slurm/telegraf/gather_responses_jobs.json", Read(slurm_readers.jobs)),
    ("slurm/telegraf/gather_responses_nodes.json", Read(slurm_readers.nodes)),
    ("slurm/telegraf/gather_responses_reservations.json", Empty(slurm_readers.reservations, "there are none")),
    ("slurm/slurm-web/24.05*/slurm-reservations.json", Read(slurm_readers.reservations)),
    ("slurm/slurm-web/*/slurm-reservations.json", Empty(slurm_readers.reservations, "there are none")),
    ("slurm/slurm-web/*/slurm-job-unfound.json", Refused(slurm_readers.refused, UNFOUND)),
    ("slurm/slurm-web/*/slurm-job-archived.json", Refused(slurm_readers.refused, UNFOUND)),
    ("slurm/slurm-web/*/slurm-node-unfound.json", Refused(slurm_readers.refused, "Failure to query node unexist")),
    ("slurm/slurm-web/*/slurm-jwt-*", Refused(slurm_readers.refused, NO_TOKEN)),
    ("slurm/slurm-web/*/slurm*-not-found.txt", Refused(slurm_readers.refused, "lab/slurm: HTTP 404 from ")),
    ("slurm/slurm-web/*/slurm-job*.json", Read(slurm_readers.jobs)),
    ("slurm/slurm-web/*/slurm-node*.json", Read(slurm_readers.nodes)),
    ("slurm/slurm-web/*/slurmdb-job-unfound.json", Empty(slurm_readers.jobs, "slurmdbd knows no such job")),
    # Accounts, partitions, QOS, pings, licences, slurmdbd's jobs: other lists than the three that we ask for.
    ("slurm/*.json", Refused(slurm_readers.refused, "lab/slurm: the answer is no list of (nodes|jobs)")),
)
RULES: tuple[Rule, ...] = (*ALERTS, *PAGES, *PROMETHEUS, *KERNEL, *KUBERNETES, *NVIDIA_SMI, *REDFISH, *SLURM)
