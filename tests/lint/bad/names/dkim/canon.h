/* SPDX-License-Identifier: Apache-2.0 */
int canon_of(int a);
int dkim_canon_of(int a);
int stray(int a);
