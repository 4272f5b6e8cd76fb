/* SPDX-License-Identifier: BSD-2-Clause */
/* All SQL of the writable side in one place. */
#include "store/queries.h"

#include "store/maker.h"
#include "store/store_database.h"

/*
 * listing: every source file of this run. kind: 1: an image; 0: none, an attachment; -1: an image whose header is
 * damaged; NULL: not known yet. series: "DIR/UID" of a file that is one of several of an item (DICOM), the path of its
 * header of one of a pair, else NULL; place: where it lies in an archive, 0: it is a file; format: its pixel format
 * (format_group.key), or PAIR and the name of the samples' file. unit: what it becomes part of. done: it is in the
 * store as it is. place: what else a tree has: directories, and links (with their target). unit: what the listing is
 * made into: items (attach = 0) and attachments (attach = 1). todo: those with work, largest first, so that the last to
 * run are small and no core waits long for another; those of archives behind them, as they lie in these.
 */
const char plan_tables[] =
    "CREATE TEMP TABLE listing(path TEXT PRIMARY KEY, disk TEXT NOT NULL, size INTEGER NOT NULL,"
    " mtime INTEGER NOT NULL, label INTEGER NOT NULL, kind INTEGER, series TEXT, format TEXT, problem TEXT, unit TEXT,"
    " done INTEGER NOT NULL DEFAULT 0, mode INTEGER NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TEMP TABLE place(path TEXT PRIMARY KEY, target TEXT, mode INTEGER NOT NULL, mtime INTEGER NOT NULL,"
    " leads_to TEXT, done INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;"
    "CREATE INDEX temp.listing_unit ON listing(unit);"
    "CREATE TEMP TABLE unit(attach INTEGER NOT NULL, path TEXT NOT NULL, bytes INTEGER NOT NULL, series TEXT,"
    " format TEXT, due INTEGER NOT NULL DEFAULT 0, place INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(attach, path))"
    " WITHOUT ROWID;"
    "CREATE INDEX temp.unit_series ON unit(series, format);"
    "CREATE TEMP TABLE missing(attach INTEGER NOT NULL, path TEXT NOT NULL, PRIMARY KEY(attach, path)) WITHOUT ROWID;"
    "CREATE TEMP TABLE listed_label(path TEXT PRIMARY KEY) WITHOUT ROWID;"
    "CREATE TEMP TABLE todo(rank INTEGER PRIMARY KEY, attach INTEGER NOT NULL, path TEXT NOT NULL,"
    " bytes INTEGER NOT NULL);";

/* withdrawn: paths of items and of their source files, and of attachments, that are not to be there. */
const char withdrawn_tables[] = "DROP TABLE IF EXISTS temp.withdrawn;"
                                "CREATE TEMP TABLE withdrawn(path TEXT PRIMARY KEY) WITHOUT ROWID;";

/* found: every item file and attachment in the store; good: it went into its table. */
const char index_tables[] =
    "DROP TABLE IF EXISTS temp.found;"
    "CREATE TEMP TABLE found(rank INTEGER PRIMARY KEY, attach INTEGER NOT NULL, path TEXT NOT NULL,"
    " good INTEGER NOT NULL DEFAULT 0);"
    "DROP TABLE IF EXISTS temp.published;"
    "CREATE TEMP TABLE published(path TEXT PRIMARY KEY, checksum INTEGER NOT NULL, kept TEXT) WITHOUT ROWID;";

/* The first value of an attribute of a DICOM JSON object. */
#define VALUE(object, tag) "json_extract(" object ", '$.\"" tag "\".Value[0]')"
/* joined: what tables say of items, as the JSON object of the catalog. */
const char table_tables[] = "DROP TABLE IF EXISTS temp.joined;"
                            "CREATE TEMP TABLE joined(path TEXT PRIMARY KEY, columns TEXT NOT NULL) WITHOUT ROWID;";

/* tree: the lines of tree.jsonl.zst; leads_to: where a link leads. */
const char tree_tables[] =
    "DROP TABLE IF EXISTS temp.tree;"
    "CREATE TEMP TABLE tree(path TEXT PRIMARY KEY, target TEXT, directory INTEGER NOT NULL, empty INTEGER NOT NULL,"
    " mode INTEGER NOT NULL, mtime INTEGER NOT NULL, leads_to TEXT) WITHOUT ROWID;";

/* Whether something of a table lies below a path, by its index. */
#define BELOW(table, path) \
    "EXISTS (SELECT 1 FROM " table " b WHERE b.path > " path " || '/' AND b.path < " path " || '0')"

const char *const maker_queries[Q_COUNT] = {
    [Q_DATASET_ADD] = "INSERT OR IGNORE INTO dataset(name) VALUES(?)",
    [Q_DATASET_ID] = "SELECT id FROM dataset WHERE name = ?",
    [Q_DATASET_RUNNING] = "SELECT running FROM dataset WHERE id = ?",
    [Q_DATASET_SET_RUNNING] = "UPDATE dataset SET running = ? WHERE id = ?",
    [Q_DATASET_SET_INFO] = "UPDATE dataset SET items = ?, attachments = ?, source_bytes = ?, item_bytes = ?,"
                           " attachment_bytes = ?, content = ?, card = ? WHERE id = ?",

    [Q_ITEM_PUT] = "INSERT OR REPLACE INTO item(dataset, path, content, size, source_bytes, row) VALUES(?,?,?,?,?,?)",
    [Q_ITEM_DELETE] = "DELETE FROM item WHERE dataset = ? AND path = ?",
    [Q_ITEMS] = "SELECT path, content, size, source_bytes, " ITEM_ROW ", columns FROM item WHERE dataset = ?"
                " ORDER BY path",
    [Q_ITEMS_BETWEEN] = "SELECT row FROM item WHERE dataset = ? AND path >= ? AND path < ? ORDER BY path",
    [Q_ITEM_COUNT] = "SELECT count(*) FROM item WHERE dataset = ?",
    [Q_ITEMS_SET_COLUMNS] =
        "UPDATE item SET columns = (SELECT j.columns FROM joined j WHERE j.path = item.path) WHERE dataset = ?",
    [Q_JOINED_GET] = "SELECT columns FROM joined WHERE path = ?",
    [Q_JOINED_PUT] = "INSERT OR REPLACE INTO joined(path, columns) VALUES(?,?)",
    [Q_ATTACHMENT_PUT] = "INSERT OR REPLACE INTO attachment(dataset, path, size, checksum) VALUES(?,?,?,?)",
    [Q_ATTACHMENT_DELETE] = "DELETE FROM attachment WHERE dataset = ? AND path = ?",
    [Q_ATTACHMENTS] = "SELECT " ATTACHMENT_COLUMNS " WHERE a.dataset = ? ORDER BY a.path",
    [Q_ATTACHMENTS_UNMARK] = "UPDATE attachment SET key = NULL, wide = 0 WHERE dataset = ? AND key IS NOT NULL",
    [Q_ATTACHMENT_MARK] = "UPDATE attachment SET key = ?, wide = ? WHERE dataset = ? AND path = ?",
    [Q_ATTACHMENT_EXISTS] = "SELECT 1 FROM attachment WHERE dataset = ? AND path = ?",

    [Q_DICOM_DELETE] = "DELETE FROM dicom_item WHERE dataset = ? AND path = ?",
    /* Those that do not name their study and series cannot be asked for by them. */
    [Q_DICOM_PUT] =
        "INSERT INTO dicom_item(dataset, path, study, series, patient, modality, instances, study_attributes,"
        " series_attributes) SELECT ?1, ?2, " VALUE("?4", "0020000D") ", " VALUE("?5", "0020000E") ", " VALUE(
            "?4", "00100020") ", " VALUE("?5", "00080060") ", ?3, ?4, ?5 WHERE json_valid(?4) AND json_valid(?5)"
                                                           " AND " VALUE("?4", "0020000D") " IS NOT NULL AND " VALUE(
                                                               "?5", "0020000E") " IS NOT NULL",
    [Q_DICOM_ID] = "SELECT id FROM dicom_item WHERE dataset = ? AND path = ?",
    [Q_DICOM_INSTANCE_PUT] = "INSERT OR IGNORE INTO dicom_instance(item, file, sop, attributes) SELECT ?1, ?2, " VALUE(
        "?3", "00080018") ", ?3 WHERE json_valid(?3) AND " VALUE("?3", "00080018") " IS NOT NULL",

    [Q_DICOM_COUNT] = "UPDATE dicom_item SET instances = (SELECT count(DISTINCT sop) FROM dicom_instance"
                      " WHERE item = ?1) WHERE id = ?1",

    [Q_SOURCE_PUT] = "INSERT OR REPLACE INTO source(dataset, path, size, mtime, checksum, label, kind, series, format,"
                     " owner, problem, version) VALUES(?,?,?,?,?,?,?,?,?,?,?,?)",
    [Q_SOURCE_OWNER] = "SELECT owner FROM source WHERE dataset = ? AND path = ?",
    [Q_SOURCE_DELETE_PATH] = "DELETE FROM source WHERE dataset = ? AND path = ?",
    [Q_SOURCE_DELETE_OWNER] = "DELETE FROM source WHERE dataset = ? AND owner = ?",
    [Q_SOURCE_DELETE_GONE] = "DELETE FROM source WHERE dataset = ? AND owner = ?"
                             " AND path NOT IN (SELECT path FROM listing)",
    /* Those without an item, or whose attachment is gone: after an index from the files alone. */
    [Q_SOURCE_DELETE_ORPHANS] =
        "DELETE FROM source WHERE dataset = ?1 AND NOT EXISTS (SELECT 1 FROM item i WHERE i.dataset = ?1"
        " AND i.path = source.owner) AND NOT EXISTS (SELECT 1 FROM attachment a WHERE a.dataset = ?1"
        " AND a.path = source.path AND source.owner IS NULL)",
    /* Same size, another time: worth a look at the content. */
    [Q_SOURCE_RETIMED] = "SELECT checksum FROM source WHERE dataset = ? AND path = ? AND size = ? AND mtime <> ?"
                         " AND (problem IS NULL OR version = ?)",
    [Q_SOURCE_TOUCH] = "UPDATE source SET mtime = ? WHERE dataset = ? AND path = ?",
    [Q_OWNER_IS_USED] = "SELECT EXISTS (SELECT 1 FROM source WHERE dataset = ?1 AND owner = ?2)"
                        " OR EXISTS (SELECT 1 FROM unit WHERE attach = 0 AND path = ?2)",

    [Q_LISTING_ADD] = "INSERT OR REPLACE INTO listing(path, disk, size, mtime, label, mode, place)"
                      " VALUES(?,?,?,?,?,?,?)",
    /* An archive may have a path several times: the last one counts. */
    [Q_PLACE_ADD] = "INSERT OR REPLACE INTO place(path, target, mode, mtime, leads_to) VALUES(?,?,?,?,?)",
    /* For 'mist verify --against'. */
    [Q_PLACE_FIND] = "SELECT target FROM place WHERE path = ?",
    [Q_PLACE_MARK] = "UPDATE place SET done = 1 WHERE path = ?",
    [Q_PLACE_UNMARKED] =
        "SELECT path, target IS NOT NULL FROM place WHERE done = 0 AND (target IS NOT NULL"
        " OR NOT (" BELOW("listing", "place.path") " OR " BELOW("place", "place.path") "))"
                                                                                       " ORDER BY path",
    [Q_LISTED_ADD] = "INSERT OR IGNORE INTO listed_label(path) VALUES(?)",
    [Q_LISTED_APPLY] = "UPDATE listing SET label = ?1 WHERE label < ?1 AND path IN (SELECT path FROM listed_label)",
    /* What is known from an earlier run. A problem may be one no longer with another version of the program, and what
     * was no image may be one. */
    [Q_LISTING_MATCH] = "UPDATE listing SET kind = s.kind, series = s.series, format = s.format, problem = s.problem"
                        " FROM source s WHERE s.dataset = ? AND s.path = listing.path AND s.size = listing.size"
                        " AND s.mtime = listing.mtime AND (s.kind > 0 AND s.problem IS NULL OR s.version = ?)",
    [Q_LISTING_UNKNOWN] = "SELECT count(*) FROM listing WHERE kind IS NULL AND place = 0",
    [Q_LISTING_NEXT_UNKNOWN] = "SELECT path, disk, size, mtime, place FROM listing WHERE kind IS NULL AND path > ?"
                               " AND place = 0 ORDER BY path LIMIT 1",
    [Q_LISTING_INDEX_PLACES] = "CREATE INDEX temp.listing_place ON listing(place)",
    [Q_LISTING_UNKNOWN_PACKED] = "SELECT count(*) FROM listing WHERE kind IS NULL AND place > 0",
    /* Nothing but this bound on the place: of two the other might be where the search begins. From 0. */
    [Q_LISTING_NEXT_PACKED] = "SELECT path, disk, size, mtime, place FROM listing WHERE kind IS NULL AND place > ?"
                              " ORDER BY place LIMIT 1",
    [Q_LISTING_CLASSIFY] = "UPDATE listing SET kind = ?, series = ?, format = ?, problem = ? WHERE path = ?",

    /* For 'mist verify --against': done says that the store has it. */
    [Q_LISTING_FIND] = "SELECT disk FROM listing WHERE path = ?",
    [Q_LISTING_MARK] = "UPDATE listing SET done = 1 WHERE path = ?",
    [Q_LISTING_UNMARKED] = "SELECT path FROM listing WHERE done = 0 ORDER BY path",

    /* Samples of a pair whose header is gone or names other ones. */
    [Q_PAIRS_LEFT] = "UPDATE listing SET kind = 0, series = NULL, format = NULL WHERE format GLOB '" PAIR "*'"
                     " AND series <> path AND NOT EXISTS (SELECT 1 FROM listing h WHERE h.path = listing.series"
                     " AND h.series = h.path AND h.format = listing.format)",
    /* rtrim() of all but slashes leaves the directory. */
    [Q_PAIRS_JOIN] =
        "UPDATE listing SET kind = 1, series = h.path, format = h.format, problem = NULL FROM (SELECT min(path) AS "
        "path,"
        " format, rtrim(path, replace(path, '/', '')) || substr(format, length('" PAIR "') + 1) AS partner FROM listing"
        " WHERE format GLOB '" PAIR
        "*' AND series = path GROUP BY partner) h WHERE listing.path = h.partner AND listing.series IS NULL",
    [Q_UNITS_OF_FILES] = "INSERT INTO unit(attach, path, bytes) SELECT kind <= 0, path, size FROM listing"
                         " WHERE series IS NULL",
    [Q_UNITS_ASSIGN_FILES] = "UPDATE listing SET unit = path WHERE series IS NULL",
    [Q_SERIES] = "SELECT series, format, sum(size) FROM listing WHERE series IS NOT NULL GROUP BY series, format"
                 " ORDER BY series, format",
    [Q_UNIT_EXISTS] = "SELECT 1 FROM unit WHERE attach = 0 AND path = ?",
    [Q_UNIT_ADD_SERIES] = "INSERT INTO unit(attach, path, bytes, series, format) VALUES(0,?,?,?,?)",
    [Q_UNITS_ASSIGN_SERIES] = "UPDATE listing SET unit = u.path FROM unit u WHERE"
                              " u.series = listing.series AND u.format = listing.format",
    [Q_LISTING_DONE] =
        "UPDATE listing SET done = 1 FROM source s WHERE s.dataset = ?1 AND s.path = listing.path"
        " AND s.size = listing.size AND s.mtime = listing.mtime AND s.label = listing.label"
        " AND (s.problem IS NULL OR s.version = ?2) AND ("
        "(s.owner = listing.unit AND EXISTS (SELECT 1 FROM item i WHERE i.dataset = ?1 AND i.path = s.owner))"
        " OR (s.owner IS NULL AND (listing.kind <= 0 OR s.problem IS NOT NULL)"
        " AND EXISTS (SELECT 1 FROM attachment a WHERE a.dataset = ?1 AND a.path = listing.path)))",
    [Q_UNITS_DUE] = "UPDATE unit SET due = 1 WHERE EXISTS (SELECT 1 FROM listing l WHERE l.unit = unit.path"
                    " AND (l.kind <= 0) = unit.attach AND NOT l.done)",
    /* Items that lost some of their sources. */
    [Q_UNITS_SHRUNK] = "SELECT path FROM unit WHERE attach = 0 AND due = 0 AND EXISTS (SELECT 1 FROM source s"
                       " WHERE s.dataset = ? AND s.owner = unit.path AND s.path NOT IN (SELECT path FROM listing))",
    [Q_UNITS_STORED] =
        "SELECT u.attach, u.path, i.size FROM unit u JOIN item i ON i.dataset = ?1 AND i.path = u.path"
        " WHERE u.attach = 0 AND u.due = 0 UNION ALL"
        " SELECT u.attach, u.path, a.size FROM unit u JOIN attachment a ON a.dataset = ?1 AND a.path = u.path"
        " WHERE u.attach = 1 AND u.due = 0",
    [Q_MISSING_ADD] = "INSERT OR IGNORE INTO missing(attach, path) VALUES(?,?)",
    [Q_UNITS_DUE_MISSING] =
        "UPDATE unit SET due = 1 FROM missing m WHERE m.attach = unit.attach AND m.path = unit.path",
    [Q_TODO_FILL] = "INSERT INTO todo(attach, path, bytes) SELECT attach, path, bytes FROM unit WHERE due = 1"
                    " ORDER BY place, bytes DESC, path",
    [Q_UNITS_PLACE] = "UPDATE unit SET place = coalesce((SELECT min(l.place) FROM listing l WHERE l.unit = unit.path"
                      " AND (l.kind <= 0) = unit.attach), 0)",
    [Q_TODO_COUNT] = "SELECT count(*) FROM todo",
    [Q_TODO_BYTES] = "SELECT coalesce(sum(bytes), 0) FROM todo",
    [Q_TODO_NTH] = "SELECT attach, path, bytes FROM todo WHERE rank = ?",
    [Q_MEMBERS] =
        "SELECT path, disk, size, mtime, label, kind, series, format, problem, place FROM listing WHERE unit = ?"
        " AND (kind <= 0) = ? ORDER BY series IS NOT path, path", /* the header of a pair first */
    [Q_UNCHANGED] = "SELECT count(*) FROM listing l JOIN unit u ON u.path = l.unit AND u.attach = (l.kind <= 0)"
                    " WHERE u.due = 0",
    [Q_OLD_PROBLEMS] = "SELECT l.path, s.problem FROM listing l JOIN unit u ON u.path = l.unit"
                       " AND u.attach = (l.kind <= 0) JOIN source s ON s.dataset = ? AND s.path = l.path"
                       " WHERE u.due = 0 AND s.problem IS NOT NULL AND " SAMPLES_OF_PAIR("s") " IS NOT TRUE",
    [Q_VANISHED_ITEMS] = "SELECT path FROM item WHERE dataset = ? AND path > ? AND NOT EXISTS (SELECT 1 FROM unit u"
                         " WHERE u.attach = 0 AND u.path = item.path) ORDER BY path LIMIT 1",
    [Q_VANISHED_ATTACHMENTS] = "SELECT path FROM attachment WHERE dataset = ? AND path > ? AND NOT EXISTS (SELECT 1"
                               " FROM listing l WHERE l.path = attachment.path) ORDER BY path LIMIT 1",

    [Q_TREE_FILES] = "INSERT OR REPLACE INTO tree(path, target, directory, empty, mode, mtime)"
                     " SELECT path, NULL, 0, 0, mode, mtime FROM listing",
    [Q_TREE_PLACES] = "INSERT OR IGNORE INTO tree(path, target, directory, empty, mode, mtime, leads_to)"
                      " SELECT path, target, target IS NULL, 0, mode, mtime, leads_to FROM place",
    [Q_TREE_ADD] = "INSERT OR REPLACE INTO tree(path, target, directory, empty, mode, mtime, leads_to)"
                   " VALUES(?,?,?,?,?,?,?)",
    [Q_TREE_WITHDRAW] =
        "DELETE FROM tree WHERE path IN (SELECT path FROM withdrawn) OR leads_to IN (SELECT path FROM withdrawn)",
    /* After that: directories that held something withdrawn and hold nothing else but such directories. */
    [Q_TREE_WITHDRAW_DIRECTORIES] = "DELETE FROM tree WHERE directory AND " BELOW(
        "withdrawn", "tree.path") " AND NOT EXISTS (SELECT 1 FROM tree b"
                                  " WHERE b.path > tree.path || '/' AND b.path < tree.path || '0' AND NOT b.directory)",
    [Q_TREE_EMPTY] = "UPDATE tree SET empty = 1 WHERE directory AND NOT " BELOW("tree", "tree.path"),
    [Q_TREE] = "SELECT path, target, directory, empty, mode, mtime FROM tree ORDER BY path",

    [Q_FOUND_ADD] = "INSERT INTO found(attach, path) SELECT ?1, ?2 WHERE ?2 NOT IN (SELECT path FROM withdrawn)",
    [Q_FOUND_COUNT] = "SELECT count(*) FROM found",
    [Q_FOUND_NTH] = "SELECT attach, path FROM found WHERE rank = ?",
    [Q_FOUND_GOOD] = "UPDATE found SET good = 1 WHERE rank = ?",
    [Q_PUBLISHED_ADD] = "INSERT OR IGNORE INTO published(path, checksum, kept) VALUES(?,?,?)",
    [Q_PUBLISHED_KEPT] = "SELECT kept FROM published WHERE path = ? AND checksum = ?",
    /* Of a source that is not known: no file has its size, so encode looks at the file again. */
    [Q_SOURCE_NOTE] =
        "INSERT OR IGNORE INTO source(dataset, path, size, mtime, checksum, label, kind, problem, version)"
        " VALUES(?,?,-1,0,?,0,-1,?,'')",
    [Q_ITEMS_KEEP_FOUND] =
        "DELETE FROM item WHERE dataset = ? AND path NOT IN (SELECT path FROM found WHERE good AND NOT attach)",
    [Q_ATTACHMENTS_KEEP_FOUND] =
        "DELETE FROM attachment WHERE dataset = ? AND path NOT IN (SELECT path FROM found WHERE good AND attach)",

    [Q_WITHDRAWN] = "SELECT path FROM withdrawn ORDER BY path",
    [Q_WITHDRAWN_ADD] = "INSERT OR IGNORE INTO withdrawn(path) VALUES(?)",
    [Q_WITHDRAWN_ADD_FILES] =
        "INSERT OR IGNORE INTO withdrawn(path) SELECT json_extract(f.value, '$.path') FROM item i,"
        " json_each(i.row, '$.files') f WHERE i.dataset = ? AND i.path = ?",
    /* Of that path or below it. */
    [Q_WITHDRAWN_COUNT] =
        "SELECT count(*) FROM withdrawn WHERE path = ?1 OR substr(path, 1, length(?1) + 1) = ?1 || '/'",
    [Q_WITHDRAWN_DELETE] = "DELETE FROM withdrawn WHERE path = ?1 OR substr(path, 1, length(?1) + 1) = ?1 || '/'",
    [Q_WITHDRAWN_LISTED] = "SELECT count(*) FROM listing WHERE path IN (SELECT path FROM withdrawn)",
    [Q_WITHDRAWN_UNLIST] = "DELETE FROM listing WHERE path IN (SELECT path FROM withdrawn)",
    [Q_ITEM_AT_OR_BELOW] =
        "SELECT path FROM item WHERE dataset = ?1 AND (path = ?2 OR (path > ?2 || '/' AND path < ?2 || '0')) LIMIT 1",
    [Q_ATTACHMENT_AT_OR_BELOW] = "SELECT path FROM attachment WHERE dataset = ?1 AND (path = ?2 OR (path > ?2 || '/' "
                                 "AND path < ?2 || '0')) LIMIT 1",
    [Q_MISSING] = "SELECT attach, path FROM missing",
};
