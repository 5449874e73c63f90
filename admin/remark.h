/* SPDX-License-Identifier: Apache-2.0
 *
 * What was noted about the files of an OpenDKIM, as a list of an answer. One thread.
 */
#ifndef INKAN_ADMIN_REMARK_H
#define INKAN_ADMIN_REMARK_H

#include "admin/output.h"
#include "opendkim/notes.h"

/* A member `notes` of the record that is begun: grade, file, line (0: none) and text of each. */
void remark_list_tell(struct output *output, const struct notes *notes);

#endif
