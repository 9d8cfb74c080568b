/* SPDX-License-Identifier: BSD-3-Clause */

/*
 * A stripe of RAID 6: P and Q of six blocks, made and checked by the engine where the part has it,
 * else by the CPU. Shows batches, completions within them, statistics and the dump
 *(docs/requests.md).
 *
 *	cc stripe.c $(pkg-config --cflags --libs udma) -o stripe
 *	UDMA_EMULATE=1,generation=bwd ./stripe [dump]
 */

#include "udma/ioat.h"

#define BLOCK  (64 * 1024)
#define DATA   6
#define BLOCKS (DATA + 3) /* P, Q, and a copy of the first */

static struct spdk_ioat_chan *channel;
static struct udma_ioat_result results[4];

static bool
want(void *ctx, struct spdk_pci_device *device)
{
	(void)ctx, (void)device;
	return channel == NULL;
}

static void
attached(void *ctx, struct spdk_pci_device *device, struct spdk_ioat_chan *ioat)
{
	(void)ctx, (void)device;
	channel = ioat;
}

/* Called once for each request, however it ends. */
static void
ended(void *arg, const struct udma_ioat_result *result)
{
	*(struct udma_ioat_result *)arg = *result;
}

static void
print(const char *what, const struct udma_ioat_result *result)
{
	printf("%-22s %s", what, udma_ioat_status_text(result->status));
	if (result->status == UDMA_IOAT_MISMATCH) {
		printf(":%s%s", result->chanerr & 1 << 16 ? " P" : "",
		       result->chanerr & 1 << 17 ? " Q" : "");
	}
	printf("\n");
}

/* All requests, or none of them, with one doorbell. The fences: each needs what is before it. */
static int
make_and_check(char *memory)
{
	static const uint8_t coefficients[DATA] = {1, 2, 4, 8, 16, 32};
	const unsigned flags = UDMA_IOAT_FENCE | UDMA_IOAT_ELSE_CPU;
	char *p = memory + DATA * BLOCK, *q = p + BLOCK, *copy = q + BLOCK;
	struct udma_ioat_op ops[4];
	const void *data[DATA];
	int rc;

	for (int i = 0; i < DATA; i++) {
		data[i] = memset(memory + i * BLOCK, 'a' + i, BLOCK);
	}
	memset(ops, 0, sizeof(ops));
	for (int i = 0; i < 4; i++) {
		ops[i].flags = flags;
		ops[i].cb = ended;
		ops[i].cb_arg = &results[i];
		ops[i].dst = p;
		ops[i].q = q;
		ops[i].sources = data;
		ops[i].coefficients = coefficients;
		ops[i].source_count = DATA;
		ops[i].nbytes = BLOCK;
	}
	ops[0].kind = UDMA_IOAT_OP_PQ;
	ops[1].kind = UDMA_IOAT_OP_PQ_CHECK;
	ops[2].kind = UDMA_IOAT_OP_COPY;
	ops[2].dst = copy;
	ops[2].src = data[0];
	/* A byte of Q is spoilt before the second check. */
	ops[3].kind = UDMA_IOAT_OP_PQ_CHECK;

	/* Callbacks need not wait for the end of a batch: at every fourth descriptor. */
	udma_ioat_complete_every(channel, 4);
	rc = udma_ioat_submit(channel, ops, 3);
	if (rc == 0) {
		rc = udma_ioat_drain(channel, 10 * 1000 * 1000);
	}
	q[1000] ^= 1;
	if (rc == 0) {
		rc = udma_ioat_submit(channel, &ops[3], 1);
	}
	return rc == 0 ? udma_ioat_drain(channel, 10 * 1000 * 1000) : rc;
}

static int
work(char *memory, bool dump)
{
	struct udma_ioat_stats stats;
	bool on_engine = udma_ioat_get_capabilities(channel) & UDMA_IOAT_CAN_PQ;
	int rc = make_and_check(memory);

	if (rc != 0) {
		fprintf(stderr, "the stripe failed: %s\n", strerror(-rc));
		udma_ioat_dump(channel, stderr);
		return 1;
	}
	printf("P and Q by             %s\n", on_engine ? "the engine" : "the CPU");
	print("made", &results[0]);
	print("checked", &results[1]);
	print("copied", &results[2]);
	print("checked when spoilt", &results[3]);
	udma_ioat_get_stats(channel, &stats, sizeof(stats));
	printf("requests               %" PRIu64 ", %" PRIu64 " by the CPU, %" PRIu64
	       " not as it should be\n",
	       stats.requests, stats.by_cpu, stats.errors[UDMA_IOAT_MISMATCH]);
	if (dump) {
		udma_ioat_dump(channel, stdout);
	}
	return results[0].status != UDMA_IOAT_OK || results[1].status != UDMA_IOAT_OK ||
	       results[2].status != UDMA_IOAT_OK || results[3].status != UDMA_IOAT_MISMATCH;
}

int
main(int argc, char **argv)
{
	char *memory;
	int rc = 1;

	if (spdk_env_init(NULL) != 0) {
		return 1;
	}
	memory = (char *)spdk_dma_malloc(BLOCKS * BLOCK, 4096, NULL);
	if (memory == NULL || spdk_ioat_probe(NULL, want, attached) != 0 || channel == NULL) {
		fprintf(stderr, "no I/OAT channel: bind one to vfio-pci, or set "
				"UDMA_EMULATE=1,generation=bwd to try without hardware\n");
	} else {
		rc = work(memory, argc > 1 && strcmp(argv[1], "dump") == 0);
		spdk_ioat_detach(channel);
	}
	spdk_dma_free(memory);
	spdk_env_fini();
	return rc;
}
