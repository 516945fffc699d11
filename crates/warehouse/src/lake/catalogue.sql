-- The catalogue of DuckLake 1.0, as DuckDB's own extension creates it in SQLite (version 1.5.5).
-- `tests/lake/duckdb_reads_the_lake.py` shows that DuckDB reads what we write into it.
CREATE TABLE ducklake_metadata("key" VARCHAR NOT NULL, "value" VARCHAR NOT NULL, "scope" VARCHAR, scope_id BIGINT);
CREATE TABLE ducklake_snapshot(snapshot_id BIGINT PRIMARY KEY, snapshot_time VARCHAR, schema_version BIGINT, next_catalog_id BIGINT, next_file_id BIGINT);
CREATE TABLE ducklake_snapshot_changes(snapshot_id BIGINT PRIMARY KEY, changes_made VARCHAR, author VARCHAR, commit_message VARCHAR, commit_extra_info VARCHAR);
CREATE TABLE ducklake_schema(schema_id BIGINT PRIMARY KEY, schema_uuid VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT, schema_name VARCHAR, path VARCHAR, path_is_relative BIGINT);
CREATE TABLE ducklake_table(table_id BIGINT, table_uuid VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT, schema_id BIGINT, table_name VARCHAR, path VARCHAR, path_is_relative BIGINT);
CREATE TABLE ducklake_view(view_id BIGINT, view_uuid VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT, schema_id BIGINT, view_name VARCHAR, dialect VARCHAR, "sql" VARCHAR, column_aliases VARCHAR);
CREATE TABLE ducklake_tag(object_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, "key" VARCHAR, "value" VARCHAR);
CREATE TABLE ducklake_column_tag(table_id BIGINT, column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, "key" VARCHAR, "value" VARCHAR);
CREATE TABLE ducklake_data_file(data_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, file_order BIGINT, path VARCHAR, path_is_relative BIGINT, file_format VARCHAR, record_count BIGINT, file_size_bytes BIGINT, footer_size BIGINT, row_id_start BIGINT, partition_id BIGINT, encryption_key VARCHAR, mapping_id BIGINT, partial_max BIGINT);
CREATE TABLE ducklake_file_column_stats(data_file_id BIGINT, table_id BIGINT, column_id BIGINT, column_size_bytes BIGINT, value_count BIGINT, null_count BIGINT, min_value VARCHAR, max_value VARCHAR, contains_nan BIGINT, extra_stats VARCHAR);
CREATE TABLE ducklake_file_variant_stats(data_file_id BIGINT, table_id BIGINT, column_id BIGINT, variant_path VARCHAR, shredded_type VARCHAR, column_size_bytes BIGINT, value_count BIGINT, null_count BIGINT, min_value VARCHAR, max_value VARCHAR, contains_nan BIGINT, extra_stats VARCHAR);
CREATE TABLE ducklake_delete_file(delete_file_id BIGINT PRIMARY KEY, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, data_file_id BIGINT, path VARCHAR, path_is_relative BIGINT, format VARCHAR, delete_count BIGINT, file_size_bytes BIGINT, footer_size BIGINT, encryption_key VARCHAR, partial_max BIGINT);
CREATE TABLE ducklake_column(column_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT, table_id BIGINT, column_order BIGINT, column_name VARCHAR, column_type VARCHAR, initial_default VARCHAR, default_value VARCHAR, nulls_allowed BIGINT, parent_column BIGINT, default_value_type VARCHAR, default_value_dialect VARCHAR);
CREATE TABLE ducklake_table_stats(table_id BIGINT, record_count BIGINT, next_row_id BIGINT, file_size_bytes BIGINT);
CREATE TABLE ducklake_table_column_stats(table_id BIGINT, column_id BIGINT, contains_null BIGINT, contains_nan BIGINT, min_value VARCHAR, max_value VARCHAR, extra_stats VARCHAR);
CREATE TABLE ducklake_partition_info(partition_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT);
CREATE TABLE ducklake_partition_column(partition_id BIGINT, table_id BIGINT, partition_key_index BIGINT, column_id BIGINT, "transform" VARCHAR);
CREATE TABLE ducklake_file_partition_value(data_file_id BIGINT, table_id BIGINT, partition_key_index BIGINT, partition_value VARCHAR);
CREATE TABLE ducklake_files_scheduled_for_deletion(data_file_id BIGINT, path VARCHAR, path_is_relative BIGINT, schedule_start VARCHAR);
CREATE TABLE ducklake_inlined_data_tables(table_id BIGINT, table_name VARCHAR, schema_version BIGINT);
CREATE TABLE ducklake_column_mapping(mapping_id BIGINT, table_id BIGINT, "type" VARCHAR);
CREATE TABLE ducklake_name_mapping(mapping_id BIGINT, column_id BIGINT, source_name VARCHAR, target_field_id BIGINT, parent_column BIGINT, is_partition BIGINT);
CREATE TABLE ducklake_schema_versions(begin_snapshot BIGINT, schema_version BIGINT, table_id BIGINT);
CREATE TABLE ducklake_macro(schema_id BIGINT, macro_id BIGINT, macro_name VARCHAR, begin_snapshot BIGINT, end_snapshot BIGINT);
CREATE TABLE ducklake_macro_impl(macro_id BIGINT, impl_id BIGINT, dialect VARCHAR, "sql" VARCHAR, "type" VARCHAR);
CREATE TABLE ducklake_macro_parameters(macro_id BIGINT, impl_id BIGINT, column_id BIGINT, parameter_name VARCHAR, parameter_type VARCHAR, default_value VARCHAR, default_value_type VARCHAR);
CREATE TABLE ducklake_sort_info(sort_id BIGINT, table_id BIGINT, begin_snapshot BIGINT, end_snapshot BIGINT);
CREATE TABLE ducklake_sort_expression(sort_id BIGINT, table_id BIGINT, sort_key_index BIGINT, expression VARCHAR, dialect VARCHAR, sort_direction VARCHAR, null_order VARCHAR);

-- What DuckLake has no place for. Our own tables begin with recurve_.
CREATE TABLE recurve_setting(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE recurve_column(
  table_id INTEGER NOT NULL, column_id INTEGER NOT NULL,
  arrow_type TEXT NOT NULL,            -- exact, where DuckLake's name of the type is not
  PRIMARY KEY (table_id, column_id));
CREATE TABLE recurve_import(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, source TEXT NOT NULL, file_name TEXT NOT NULL, file_bytes INTEGER NOT NULL,
  file_hash TEXT, options TEXT NOT NULL,
  state TEXT NOT NULL,                 -- open, committed or abandoned
  started_at_micros INTEGER NOT NULL,
  recorded_at_micros INTEGER,          -- when it was committed: its facts are known from then on
  snapshot INTEGER,
  resume_point TEXT,
  rows_read INTEGER NOT NULL, rows_accepted INTEGER NOT NULL, rows_refused INTEGER NOT NULL,
  seal TEXT);                          -- hash over the previous seal and all of this import
CREATE UNIQUE INDEX recurve_import_by_snapshot ON recurve_import(snapshot);
CREATE TABLE recurve_file(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  import_id INTEGER,                   -- none for a file merged from several
  table_id INTEGER NOT NULL,
  path TEXT NOT NULL UNIQUE,           -- below the table's folder
  rows INTEGER NOT NULL, bytes INTEGER NOT NULL, footer_bytes INTEGER NOT NULL,
  row_groups INTEGER NOT NULL, hash TEXT NOT NULL,
  bounds TEXT NOT NULL,                -- of its columns, until it is committed
  state TEXT NOT NULL);                -- staged, committed or merged (into another file)
CREATE INDEX recurve_file_by_import ON recurve_file(import_id);
CREATE TABLE recurve_refused_row(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  import_id INTEGER NOT NULL, file TEXT NOT NULL, row INTEGER NOT NULL, column_name TEXT,
  code TEXT NOT NULL, message TEXT NOT NULL, help TEXT NOT NULL, raw TEXT NOT NULL,
  settled_by INTEGER);                 -- the import that read it again; it counts once that one is committed
CREATE INDEX recurve_refused_row_by_import ON recurve_refused_row(import_id);
