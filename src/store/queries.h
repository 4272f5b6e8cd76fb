/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STORE_QUERIES_H
#define STORE_QUERIES_H

/* The texts of enum maker_query (maker.h). */
extern const char *const maker_queries[];

/* Encode's temporary tables, which live as long as the connection. */
extern const char plan_tables[];
/* Of what was withdrawn. */
extern const char withdrawn_tables[];
/* Index's. */
extern const char index_tables[];
/* That of tables_join(). */
extern const char table_tables[];
extern const char tree_tables[];

#endif
