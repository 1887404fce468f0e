/* Copyright The otelkit Authors
 * SPDX-License-Identifier: Apache-2.0
 *
 * A libnvidia-ml.so.1 for tests: three GPUs, of which the second has no power
 * sensor, and the third is in MIG mode with two instances.
 *
 *   0  everything; 64-bit PCIe byte counts; ECC; two processes, one of them the caller
 *   1  no power, no energy, no ECC, no byte counts; only the older calls for memory and temperature
 *   2  MIG: two instances, which tell their memory and nothing else
 *
 * FAKE_NVML_LOST names a file: while it exists, GPU 1 is lost; FAKE_NVML_LOST_CODE is what it then answers.
 * FAKE_NVML_INIT is the code that initialisation returns.
 * FAKE_NVML_LOG names a file that gets "init PID" and "shutdown PID" lines.
 *
 * As with the real one, a process that did not initialise it itself has no use of it.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, UNINITIALIZED = 1, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, SMALL = 7, LOST = 15 };

typedef struct { int gpu; int instance; } device;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory2;
typedef struct { unsigned gpu, memory; } rates;
typedef struct { unsigned version, sensor; int celsius; } temperature;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } process;
typedef struct {
    uint32_t id, scope; int64_t time, latency; uint32_t type, code;
    union { double d; unsigned u; unsigned long ul; unsigned long long ull; long long ll; } value;
} field;

static device gpus[3] = {{0, -1}, {1, -1}, {2, -1}};
static device instances[2] = {{2, 0}, {2, 1}};
static const char *uuids[3] = {
    "GPU-11111111-0000-0000-0000-000000000000",
    "GPU-11112222-0000-0000-0000-000000000000",
    "GPU-33333333-0000-0000-0000-000000000000"};
static const char *mig_uuids[2] = {
    "MIG-aaaa1111-0000-0000-0000-000000000000", "MIG-aaaa2222-0000-0000-0000-000000000000"};
static int users;
static pid_t owner;
static unsigned long long readings;

static void note(const char *what) {
    const char *path = getenv("FAKE_NVML_LOG");
    FILE *log = path ? fopen(path, "a") : NULL;
    if (log) { fprintf(log, "%s %d\n", what, (int)getpid()); fclose(log); }
}

static int usable(device *d) {
    if (!users || owner != getpid()) return UNINITIALIZED;
    const char *lost = getenv("FAKE_NVML_LOST");
    if (!d || d->gpu != 1 || !lost || access(lost, F_OK) != 0) return OK;
    const char *code = getenv("FAKE_NVML_LOST_CODE");
    return code ? atoi(code) : LOST;
}

#define NEED(d) do { int code = usable(d); if (code) return code; } while (0)
#define PHYSICAL(d) do { NEED(d); if ((d)->instance >= 0) return UNSUPPORTED; } while (0)

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    const char *code = getenv("FAKE_NVML_INIT");
    if (code) return atoi(code);
    note("init");
    if (!users++) owner = getpid();
    return OK;
}

int nvmlShutdown(void) {
    if (!users) return UNINITIALIZED;
    note("shutdown");
    users--;
    return OK;
}

const char *nvmlErrorString(int code) { (void)code; return "an error of the fake"; }

static int text(char *to, unsigned size, const char *from) {
    if (strlen(from) >= size) return SMALL;
    strcpy(to, from);
    return OK;
}

int nvmlSystemGetDriverVersion(char *to, unsigned size) { NEED(NULL); return text(to, size, "999.42"); }

int nvmlDeviceGetCount_v2(unsigned *count) { NEED(NULL); *count = 3; return OK; }

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device **d) {
    if (index > 2) return INVALID;
    NEED(&gpus[index]);
    *d = &gpus[index];
    return OK;
}

int nvmlDeviceGetUUID(device *d, char *to, unsigned size) {
    NEED(d);
    return text(to, size, d->instance < 0 ? uuids[d->gpu] : mig_uuids[d->instance]);
}

int nvmlDeviceGetName(device *d, char *to, unsigned size) {
    NEED(d);
    return text(to, size, d->instance < 0 ? "Fake H200" : "Fake H200 MIG 1g.18gb");
}

int nvmlDeviceGetSerial(device *d, char *to, unsigned size) { PHYSICAL(d); return text(to, size, "4711"); }

int nvmlDeviceGetMigMode(device *d, unsigned *now, unsigned *pending) {
    PHYSICAL(d);
    if (d->gpu == 1) return UNSUPPORTED;
    *now = *pending = d->gpu == 2;
    return OK;
}

int nvmlDeviceGetMaxMigDeviceCount(device *d, unsigned *count) {
    PHYSICAL(d);
    *count = d->gpu == 2 ? 7 : 0;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device *d, unsigned index, device **found) {
    PHYSICAL(d);
    if (d->gpu != 2 || index > 1) return NOT_FOUND;
    *found = &instances[index];
    return OK;
}

int nvmlDeviceGetGpuInstanceId(device *d, unsigned *id) { NEED(d); *id = 7 + (unsigned)d->instance; return OK; }

int nvmlDeviceGetComputeInstanceId(device *d, unsigned *id) { NEED(d); *id = 0; return OK; }

int nvmlDeviceGetUtilizationRates(device *d, rates *r) {
    PHYSICAL(d);
    if (d->gpu == 2) return UNSUPPORTED;
    r->gpu = d->gpu ? 0 : 42;
    r->memory = 17;
    return OK;
}

int nvmlDeviceGetEncoderUtilization(device *d, unsigned *share, unsigned *period) {
    PHYSICAL(d);
    if (d->gpu) return UNSUPPORTED;
    *share = 5; *period = 1000;
    return OK;
}

int nvmlDeviceGetDecoderUtilization(device *d, unsigned *share, unsigned *period) {
    PHYSICAL(d);
    if (d->gpu) return UNSUPPORTED;
    *share = 7; *period = 1000;
    return OK;
}

int nvmlDeviceGetMemoryInfo(device *d, memory *m) {
    NEED(d);
    m->total = d->instance < 0 ? 1000000 : 100000;
    m->used = 250000 / (d->instance < 0 ? 1 : 10);
    m->free = m->total - m->used;
    return OK;
}

int nvmlDeviceGetMemoryInfo_v2(device *d, memory2 *m) {
    NEED(d);
    if (d->gpu == 1) return UNSUPPORTED;
    m->total = d->instance < 0 ? 1000000 : 100000;
    m->reserved = 50000 / (d->instance < 0 ? 1 : 10);
    m->used = 200000 / (d->instance < 0 ? 1 : 10);
    m->free = m->total - m->used - m->reserved;
    return OK;
}

int nvmlDeviceGetTemperatureV(device *d, temperature *t) {
    PHYSICAL(d);
    if (d->gpu == 1) return UNSUPPORTED;
    t->celsius = 61;
    return OK;
}

int nvmlDeviceGetTemperature(device *d, unsigned sensor, unsigned *celsius) {
    (void)sensor;
    PHYSICAL(d);
    *celsius = 55;
    return OK;
}

int nvmlDeviceGetPowerUsage(device *d, unsigned *milliwatts) {
    PHYSICAL(d);
    if (d->gpu == 1) return UNSUPPORTED;
    *milliwatts = 312500;
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(device *d, unsigned long long *millijoules) {
    PHYSICAL(d);
    if (d->gpu == 1) return UNSUPPORTED;
    *millijoules = 9000500 + 1000 * readings++;
    return OK;
}

int nvmlDeviceGetClockInfo(device *d, unsigned clock, unsigned *megahertz) {
    PHYSICAL(d);
    *megahertz = 1000 + 10 * clock;
    return OK;
}

int nvmlDeviceGetTotalEccErrors(device *d, unsigned kind, unsigned counter, unsigned long long *errors) {
    PHYSICAL(d);
    if (d->gpu) return UNSUPPORTED;
    *errors = (kind ? 1 : 3) + (counter ? 0 : 1000);
    return OK;
}

int nvmlDeviceGetPcieThroughput(device *d, unsigned direction, unsigned *kilobytes) {
    PHYSICAL(d);
    if (d->gpu == 2) return UNSUPPORTED;
    *kilobytes = direction ? 2000 : 1000;
    return OK;
}

int nvmlDeviceGetFieldValues(device *d, int count, field *fields) {
    PHYSICAL(d);
    for (int i = 0; i < count; i++) {
        int heat = fields[i].id == 82;
        fields[i].code = d->gpu == 0 ? OK : UNSUPPORTED;
        fields[i].type = heat ? 1 : 3;
        if (heat) fields[i].value.u = 70;
        else fields[i].value.ull = fields[i].id == 197 ? 5000000000ULL : 6000000000ULL;
    }
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(device *d, unsigned *count, process *p) {
    PHYSICAL(d);
    if (d->gpu) { *count = 0; return OK; }
    if (*count < 2) { *count = 2; return SMALL; }
    *count = 2;
    p[0].pid = (unsigned)getpid(); p[0].used = 123456; p[0].gi = p[0].ci = ~0u;
    p[1].pid = 999999; p[1].used = ~0ULL; p[1].gi = p[1].ci = ~0u;
    return OK;
}
