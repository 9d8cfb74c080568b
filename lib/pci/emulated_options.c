/* SPDX-License-Identifier: BSD-3-Clause */

/* What UDMA_EMULATE asks for: N[,option=value…]. */

#include "pci_internal.h"

#include "spdk/log.h"
#include "spdk/string.h"
#include "spdk/util.h"
#include "udma/emu.h"

/* 28 devices of 8 functions, as emulated.c gives them addresses. */
#define MAX_FUNCTIONS 224

/* XFERCAP of E5 v2: 1 MiB (section 3). */
#define DEFAULT_XFERCAP 20

/* Skylake-SP: one id for any number of functions (section 1.2). */
#define DEFAULT_GENERATION "skx"

/** An option of UDMA_EMULATE and the values it takes. */
struct option_range {
	const char *name;
	long min, max;
};

static int
parse_number(const char *what, const char *text, long min, long max, long *number)
{
	*number = spdk_strtol(text, 10);
	if (*number < min || *number > max) {
		SPDK_ERRLOG(
			"emulated channels: %s is \"%s\"; a number from %ld to %ld is expected\n",
			what, text, min, max);
		return -EINVAL;
	}
	return 0;
}

static int
parse_generation(const char *text, struct udma_emulated_config *config)
{
	if (udma_emu_device_id(text, 0) == 0 || strlen(text) >= sizeof(config->generation)) {
		SPDK_ERRLOG(
			"emulated channels: generation is \"%s\"; snb, ivb, hsw, bdx, bwd, bdxde, "
			"skx, icx or a device id such as 0c50 is expected\n",
			text);
		return -EINVAL;
	}
	snprintf(config->generation, sizeof(config->generation), "%s", text);
	return 0;
}

static int
add_fault(struct udma_emulated_config *config, const struct udma_fault *fault)
{
	if (config->fault_count == UDMA_FAULTS_MAX) {
		SPDK_ERRLOG("emulated channels: there are more than %d faults\n", UDMA_FAULTS_MAX);
		return -EINVAL;
	}
	config->faults[config->fault_count++] = *fault;
	return 0;
}

/** BIT/N: every n-th descriptor ends with this bit of CHANERR. */
static int
parse_error(char *text, struct udma_emulated_config *config)
{
	char *slash = strchr(text, '/');
	long bit, every;

	if (slash == NULL) {
		SPDK_ERRLOG("emulated channels: error is \"%s\"; BIT/N is expected, as in 8/1000\n",
			    text);
		return -EINVAL;
	}
	*slash = '\0';
	if (parse_number("error", text, 0, 31, &bit) != 0 ||
	    parse_number("error", slash + 1, 1, UINT32_MAX, &every) != 0) {
		return -EINVAL;
	}
	return add_fault(config, &(struct udma_fault){.kind = UDMA_FAULT_ERROR,
						      .value = 1ull << bit,
						      .every = (uint64_t)every});
}

static int
parse_fault(const char *text, struct udma_emulated_config *config)
{
	char why[UDMA_FAULT_WHY_SIZE];
	struct udma_fault fault;
	int rc = udma_fault_parse(text, &fault, why, sizeof(why));

	if (rc != 0) {
		SPDK_ERRLOG("emulated channels: fault is \"%s\": %s\n", text, why);
		return rc;
	}
	return add_fault(config, &fault);
}

static int
parse_option(char *option, struct udma_emulated_config *config)
{
	static const struct option_range ranges[] = {
		{"xfercap", 12, 31},     /* log2 of the largest transfer (section 3) */
		{"iova_bits", 32, 64},   /* width of the emulated IOMMU */
		{"flip", 0, UINT32_MAX}, /* flip a byte in every n-th descriptor */
	};
	char *value = strchr(option, '=');
	long number;

	if (value != NULL) {
		*value++ = '\0';
	}
	if (strcmp(option, "generation") == 0) {
		return parse_generation(value ? value : "", config);
	}
	if (strcmp(option, "error") == 0) {
		static char none[] = "";

		return parse_error(value ? value : none, config);
	}
	if (strcmp(option, "fault") == 0) {
		return parse_fault(value ? value : "", config);
	}
	for (unsigned i = 0; i < SPDK_COUNTOF(ranges); i++) {
		if (strcmp(option, ranges[i].name) != 0) {
			continue;
		}
		if (parse_number(option, value ? value : "", ranges[i].min, ranges[i].max,
				 &number) != 0) {
			return -EINVAL;
		}
		switch (i) {
		case 0:
			config->xfercap = (uint8_t)number;
			break;
		case 1:
			config->iova_bits = (unsigned)number;
			break;
		default:
			return number == 0
				       ? 0
				       : add_fault(config,
						   &(struct udma_fault){.kind = UDMA_FAULT_FLIP,
									.every = (uint64_t)number});
		}
		return 0;
	}
	SPDK_ERRLOG("emulated channels: there is no option \"%s\"; there are generation, xfercap, "
		    "iova_bits, flip, error and fault, as in 2,generation=icx\n",
		    option);
	return -EINVAL;
}

int
udma_emulated_parse(const char *text, struct udma_emulated_config *config)
{
	char *copy, *next, *word;
	long count;
	int rc;

	*config = (struct udma_emulated_config){
		.xfercap = DEFAULT_XFERCAP, .iova_bits = 64, .generation = DEFAULT_GENERATION};
	if (text == NULL || text[0] == '\0') {
		return 0;
	}
	copy = next = strdup(text);
	if (copy == NULL) {
		return -ENOMEM;
	}
	word = strsep(&next, ",");
	rc = parse_number("the number of channels", word, 0, MAX_FUNCTIONS, &count);
	config->count = (unsigned)count;
	while (rc == 0 && (word = strsep(&next, ",")) != NULL) {
		rc = parse_option(word, config);
	}
	free(copy);
	return rc;
}
