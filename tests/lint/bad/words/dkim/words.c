/* Without the line. */
#include <ctype.h>
/* TODO: finish */
const char *where = "/home/somebody/inkan";
int blank(int c)
{
    /* isspace(c) in a comment is nothing */
    return isspace(c);
}
