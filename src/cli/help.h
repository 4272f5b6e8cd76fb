/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLI_HELP_H
#define CLI_HELP_H

/* `mist --help` on standard output. */
void help_overview(void);
/* The manual page (roff) on standard output. */
void help_man_page(void);

#endif
