/* A stand-in for libnvidia-ml.so.1: enough of NVML for the console's source of kind nvml, told by its environment.
 * STAND_IN_GPUS (8), STAND_IN_INIT (code that init answers), STAND_IN_LOST, STAND_IN_MIG, STAND_IN_FAULT (index of a GPU),
 * STAND_IN_DENIED (power may not be read), STAND_IN_HANG (a count never comes back while the file exists),
 * STAND_IN_LIVELY (values change each second, as those of a busy GPU do).
 * Layouts are those of nvml.h; symbols that are not here are what an old driver has not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OK = 0, INVALID = 2, UNSUPPORTED = 3, DENIED = 4, SHORT = 7, LOST = 15, UNKNOWN = 999 };
typedef unsigned int u32;
typedef unsigned long long u64;
typedef struct { int index; } *Device;

static struct { int index; } devices[16];

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}
static int wobble(Device d, int span) {
    return number("STAND_IN_LIVELY", 0) ? (int)((time(NULL) * 7 + d->index * 13) % span) : 0;
}
static int gone(Device d) { return number("STAND_IN_LOST", -1) == d->index ? LOST : OK; }
static int text(char *out, u32 room, const char *said) {
    if (strlen(said) >= room) return SHORT;
    strcpy(out, said);
    return OK;
}

int nvmlInitWithFlags(u32 flags) { (void)flags; return number("STAND_IN_INIT", OK); }
int nvmlShutdown(void) { return OK; }
const char *nvmlErrorString(int code) { return code == LOST ? "GPU is lost" : "Unknown Error"; }
int nvmlSystemGetDriverVersion(char *out, u32 room) { return text(out, room, "580.00.01"); }
int nvmlDeviceGetCount_v2(u32 *count) {
    const char *hang = getenv("STAND_IN_HANG");
    while (hang && *hang && access(hang, F_OK) == 0) usleep(20000);
    *count = number("STAND_IN_GPUS", 8);
    return OK;
}
int nvmlDeviceGetHandleByIndex_v2(u32 i, Device *d) {
    if (i >= 16) return INVALID;
    devices[i].index = i;
    *d = (Device)&devices[i];
    return gone(*d);
}
int nvmlDeviceGetUUID(Device d, char *out, u32 room) {
    char uuid[64];
    snprintf(uuid, sizeof uuid, "GPU-5ca1ab1e-0000-4000-8000-%012x", d->index);
    return text(out, room, uuid);
}
int nvmlDeviceGetName(Device d, char *out, u32 room) { (void)d; return text(out, room, "NVIDIA H100 80GB HBM3"); }
typedef struct { char old[16]; u32 domain, bus, device, id, subsystem; char bus_id[32]; } Pci;
int nvmlDeviceGetPciInfo_v3(Device d, Pci *pci) {
    memset(pci, 0, sizeof *pci);
    snprintf(pci->bus_id, sizeof pci->bus_id, "00000000:%02X:00.0", 0x19 + 0x10 * d->index);
    return OK;
}
int nvmlDeviceGetMigMode(Device d, u32 *now, u32 *next) {
    *now = *next = number("STAND_IN_MIG", -1) == d->index;
    return OK;
}
typedef struct { u32 gpu, memory; } Rates;
int nvmlDeviceGetUtilizationRates(Device d, Rates *rates) {
    if (number("STAND_IN_MIG", -1) == d->index) return UNSUPPORTED;
    rates->gpu = 90 + d->index - wobble(d, 30);
    rates->memory = 10 + wobble(d, 20);
    return gone(d);
}
int nvmlDeviceGetTemperature(Device d, u32 sensor, u32 *c) { (void)sensor; *c = 60 + d->index + wobble(d, 9); return gone(d); }
int nvmlDeviceGetPowerUsage(Device d, u32 *mw) {
    if (number("STAND_IN_DENIED", 0)) return DENIED;
    if (number("STAND_IN_FAULT", -1) == d->index) return UNKNOWN;
    *mw = 500250 + 1000 * d->index + 1000 * wobble(d, 90);
    return gone(d);
}
int nvmlDeviceGetEnforcedPowerLimit(Device d, u32 *mw) { *mw = 700000; return gone(d); }
int nvmlDeviceGetClockInfo(Device d, u32 kind, u32 *mhz) { *mhz = kind == 1 ? 1980 : 2619; return gone(d); }
typedef struct { u64 total, free, used; } Memory;
int nvmlDeviceGetMemoryInfo(Device d, Memory *m) {
    m->total = 80ULL << 30;
    m->used = 30ULL << 30;
    m->free = 50ULL << 30;
    return gone(d);
}
int nvmlDeviceGetTotalEccErrors(Device d, u32 type, u32 counter, u64 *n) {
    (void)counter;
    *n = d->index == 3 ? (type ? 2 : 117) : 0;
    return gone(d);
}
int nvmlDeviceGetRemappedRows(Device d, u32 *corrected, u32 *uncorrected, u32 *pending, u32 *failed) {
    *corrected = 4;
    *uncorrected = d->index == 3 ? 2 : 0;
    *pending = d->index == 3;
    *failed = 0;
    return gone(d);
}
int nvmlDeviceGetPcieReplayCounter(Device d, u32 *n) { *n = d->index; return gone(d); }
int nvmlDeviceGetCurrPcieLinkWidth(Device d, u32 *lanes) { *lanes = 16; return gone(d); }
int nvmlDeviceGetCurrentClocksThrottleReasons(Device d, u64 *mask) { *mask = 4; return gone(d); }
typedef struct { u32 field, scope; long long at, latency; u32 type; int code; union { double d; u32 u; u64 l; } value; } Value;
int nvmlDeviceGetFieldValues(Device d, int count, Value *values) {
    for (int i = 0; i < count; i++) {
        values[i].code = values[i].field == 82 ? OK : UNSUPPORTED; /* 82: memory temperature */
        values[i].type = 1;
        values[i].value.u = 70 + d->index;
    }
    return gone(d);
}

/* What a monitor of one host (nvitop) cannot do without; the console does not ask for it. */
typedef struct { u32 pid; u64 used; u32 gpu_instance, compute_instance; } Process;
int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }
int nvmlSystemGetCudaDriverVersion(int *version) { *version = 13000; return OK; }
int nvmlSystemGetCudaDriverVersion_v2(int *version) { *version = 13000; return OK; }
int nvmlDeviceGetComputeRunningProcesses_v3(Device d, u32 *count, Process *all) { (void)all; *count = 0; return gone(d); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(Device d, u32 *count, Process *all) { (void)all; *count = 0; return gone(d); }
int nvmlDeviceGetMPSComputeRunningProcesses_v3(Device d, u32 *count, Process *all) { (void)all; *count = 0; return gone(d); }
int nvmlDeviceGetIndex(Device d, u32 *index) { *index = d->index; return gone(d); }
int nvmlDeviceGetPowerManagementLimit(Device d, u32 *mw) { return nvmlDeviceGetEnforcedPowerLimit(d, mw); }
#define NOT_SUPPORTED(name) int name() { return UNSUPPORTED; }
NOT_SUPPORTED(nvmlDeviceGetEncoderUtilization)
NOT_SUPPORTED(nvmlDeviceGetDecoderUtilization)
NOT_SUPPORTED(nvmlDeviceGetFanSpeed)
NOT_SUPPORTED(nvmlDeviceGetPersistenceMode)
NOT_SUPPORTED(nvmlDeviceGetPerformanceState)
NOT_SUPPORTED(nvmlDeviceGetDisplayActive)
NOT_SUPPORTED(nvmlDeviceGetComputeMode)
NOT_SUPPORTED(nvmlDeviceGetEccMode)
NOT_SUPPORTED(nvmlDeviceGetMemoryErrorCounter)
NOT_SUPPORTED(nvmlDeviceGetBAR1MemoryInfo)
NOT_SUPPORTED(nvmlDeviceGetMaxClockInfo)
NOT_SUPPORTED(nvmlDeviceGetPcieThroughput)
NOT_SUPPORTED(nvmlDeviceGetDriverModel)
NOT_SUPPORTED(nvmlDeviceGetProcessUtilization)
NOT_SUPPORTED(nvmlDeviceGetTotalEnergyConsumption)
NOT_SUPPORTED(nvmlDeviceGetMaxPcieLinkGeneration)
NOT_SUPPORTED(nvmlDeviceGetCurrPcieLinkGeneration)
NOT_SUPPORTED(nvmlDeviceGetMaxPcieLinkWidth)
