/* SPDX-License-Identifier: Apache-2.0 */
/* #include "server/policy.h" in a comment is nothing. */
#include <openssl/evp.h>
#include <stdint.h>
#include <curl/curl.h>
