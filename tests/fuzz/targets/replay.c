/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * replay: a target of libFuzzer's kind, run on files that were kept, without libFuzzer. `make
 * check` does so under ASan and UBSan: replay FILE...
 */
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20 };

int main(int argc, char **argv)
{
	uint8_t *data = malloc(INPUT_MAX);

	if (!data)
		err(1, "replay");
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "re");
		size_t size;

		if (!file)
			err(1, "%s", argv[i]);
		size = fread(data, 1, INPUT_MAX, file);
		fclose(file);
		/* If it fails, this says with what. */
		fprintf(stderr, "%s\n", argv[i]);
		LLVMFuzzerTestOneInput(data, size);
	}
	free(data);
	printf("%d inputs\n", argc - 1);
	return argc > 1 ? 0 : 1;
}
