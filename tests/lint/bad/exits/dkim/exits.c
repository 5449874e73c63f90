/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
int length(char *out, size_t size);
int length(char *out, size_t size)
{
    if (size == 0)
        abort();
    fprintf(stderr, "printf( in a string is nothing");
    printf("x");
    exit(1);
    return snprintf(out, size, "fine");
}
