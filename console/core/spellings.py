"""Labels that say what something is about: every spelling that exporters, scrapers and relabelling rules use."""

from __future__ import annotations

# dcgm-exporter writes Hostname (hostname since 2026-05), UUID (uuid in its old name space, gpu_uuid on NVLink rows) and
# modelName (model_name there); Prometheus puts exported_ before a label that the target has too.
UUID = ("UUID", "uuid", "gpu_uuid", "GPU_UUID", "exported_UUID", "exported_uuid")
NODE = (
    "Hostname", "hostname", "exported_Hostname", "exported_hostname", "node", "exported_node", "kubernetes_node",
    "nodename", "node_name", "host", "exported_instance", "instance",
)  # fmt: skip
GPU = ("gpu", "GPU", "exported_gpu", "gpu_id", "gpu_index", "minor_number")
MODEL = ("modelName", "model_name", "exported_modelName", "exported_model_name")
MIG = ("GPU_I_ID", "gpu_i_id", "GPU_I_PROFILE")
WITH_PORT = ("instance", "exported_instance")
SITE = ("site", "datacenter", "dc")
