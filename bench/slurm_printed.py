"""Lists as `scontrol show nodes` and `scontrol show jobs` of 24.05 print them on a login host, one record a line."""

from __future__ import annotations

from bench.slurm_body import NODES_A_JOB

_NODE = (
    "NodeName={name} Arch=x86_64 CoresPerSocket=48 CPUAlloc=192 CPUEfctv=192 CPUTot=192 CPULoad=9.{phase} "
    "AvailableFeatures=h100 ActiveFeatures=h100 Gres=gpu:h100:8 GresDrain=N/A GresUsed=gpu:h100:8(IDX:0-7) "
    "NodeAddr={name} NodeHostName={name} Version=24.05.3 OS=Linux 5.15.0-105-generic #115-Ubuntu SMP Mon Apr 15 "
    "RealMemory=2000000 AllocMem=0 FreeMem=1800000 Sockets=2 Boards=1 State=ALLOCATED ThreadsPerCore=2 TmpDisk=0 "
    "Weight=1 Owner=N/A MCS_label=N/A Partitions=train BootTime=2026-11-01T00:00:00 "
    "SlurmdStartTime=2026-11-01T00:01:00 LastBusyTime=2026-11-25T00:00:00 "
    "CfgTRES=cpu=192,mem=2T,billing=192,gres/gpu=8 AllocTRES=cpu=192,gres/gpu=8 CapWatts=n/a CurrentWatts=0 "
    "AveWatts=0 ExtSensorsJoules=n/a ExtSensorsWatts=0 ExtSensorsTemp=n/a\n"
)
_JOB = (
    "JobId={id} JobName=llm-{i} UserId=user{user}({user}) GroupId=users(100) MCS_label=N/A Priority=1000 Nice=0 "
    "Account=research QOS=normal JobState={state} Reason={reason} Dependency=(null) Requeue=1 Restarts=0 BatchFlag=1 "
    "Reboot=0 ExitCode=0:0 DerivedExitCode=0:0 RunTime=01:00:00 TimeLimit=2-00:00:00 TimeMin=N/A "
    "SubmitTime=2026-11-25T00:{minute:02d}:{second:02d} EligibleTime=2026-11-25T00:00:00 AccrueTime=Unknown "
    "StartTime=2026-11-25T01:00:00 EndTime=2026-11-27T01:00:00 Deadline=N/A SuspendTime=None SecsPreSuspend=0 "
    "LastSchedEval=2026-11-25T01:00:00 Scheduler=Main Partition=train AllocNode:Sid=login:1234 ReqNodeList=(null) "
    "ExcNodeList=(null) NodeList={nodes} NumNodes=4 NumCPUs=768 NumTasks=32 CPUs/Task=24 ReqB:S:C:T=0:0:*:* "
    "ReqTRES=cpu=768,mem=8T,node=4,billing=768,gres/gpu=32 AllocTRES=cpu=768,mem=8T,node=4,gres/gpu=32 "
    "Socks/Node=* NtasksPerN:B:S:C=8:0:*:* CoreSpec=* JOB_GRES=gpu:h100:32{detail} MinCPUsNode=192 MinMemoryNode=0 "
    "MinTmpDiskNode=0 Features=(null) DelayBoot=00:00:00 OverSubscribe=NO Contiguous=0 Licenses=(null) "
    "Network=(null) Command=/home/ada/run.sh WorkDir=/home/ada StdErr=/home/ada/{i}.log StdIn=/dev/null "
    "StdOut=/home/ada/{i}.log Power= TresPerNode=gres/gpu:8\n"
)


def printed_nodes(nodes: int, phase: int = 0) -> bytes:
    """Return a list of nodes; every one differs with the phase in what nobody reads here."""
    return "".join(_NODE.format(name=f"n{i:05d}", phase=phase) for i in range(nodes)).encode()


def printed_jobs(jobs: int, nodes: int, phase: int = 0) -> bytes:
    """Return a list of jobs, as many of them running as there are nodes for; every tenth differs with the phase."""
    return "".join(_job(i, nodes, phase if i % 10 == 0 else 0) for i in range(jobs)).encode()


def _job(i: int, nodes: int, phase: int) -> str:
    first = i * NODES_A_JOB
    running = first + NODES_A_JOB <= nodes
    held = f"n[{first:05d}-{first + NODES_A_JOB - 1:05d}]" if running else "(null)"
    return _JOB.format(
        i=i,
        id=100_000 + i + 1_000_000 * phase,
        user=1000 + i % 200,
        state="RUNNING" if running else "PENDING",
        reason="None" if running else "Resources",
        minute=i // 60 % 60,
        second=i % 60,
        nodes=held,
        detail=f" Nodes={held} CPU_IDs=0-191 Mem=0 GRES=gpu:h100:8(IDX:0-7)" if running else "",
    )
