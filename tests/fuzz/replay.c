/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs a fuzz target over every file of the directory given, without libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>

#include "tests/fuzz/fuzz.h"

static int replay_file(const char *directory, const char *name)
{
    char path[1024];
    uint8_t block[4096];
    size_t len;
    struct buf content = BUF_INIT(0);

    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 1;
    }
    while ((len = fread(block, 1, sizeof block, file)) > 0)
        buf_append(&content, block, len);
    fclose(file);
    LLVMFuzzerTestOneInput((const uint8_t *)buf_cstr(&content), content.len);
    buf_clear(&content);
    return 0;
}

int main(int argc, char **argv)
{
    size_t count = 0;
    int failed = 0;
    DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;

    if (!directory) {
        fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.')
            continue;
        failed |= replay_file(argv[1], entry->d_name);
        count++;
    }
    closedir(directory);
    printf("%zu inputs\n", count);
    return failed || !count;
}
