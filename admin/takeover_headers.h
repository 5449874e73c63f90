/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings that are lists of header fields, of SignHeaders, OmitHeaders, OverSignHeaders and
 * SenderHeaders, which may be data sets of any type. One thread.
 */
#ifndef INKAN_ADMIN_TAKEOVER_HEADERS_H
#define INKAN_ADMIN_TAKEOVER_HEADERS_H

#include "admin/takeover_conf.h"

takeover_convert takeover_headers_sign, takeover_headers_oversign, takeover_headers_author;

#endif
