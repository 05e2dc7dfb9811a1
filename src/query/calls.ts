/** Names by dialect. `both` are spelt alike in the two and do the same. */
export interface Names {
  readonly both: string;
  readonly postgresql: string;
  readonly mysql: string;
}

/** Words that the dialect reserves, at least as names of functions, so that `word (` is never a call of a user's function. */
export const syntaxBeforeParenthesis: Names = {
  both: `select from where and or not in on using as with values lateral exists all case when then else having limit
    union except intersect distinct group order between into cast decimal dec numeric float char character varchar
    interval real precision for`,
  postgresql: `any some array offset returning only fetch row bit nchar national time timestamp grouping extract overlay
    position substring trim normalize xmlelement xmlforest xmlconcat xmlexists xmlparse xmlpi xmlroot xmlserialize window
    variadic collate symmetric asymmetric int integer bigint smallint boolean`,
  mysql: `by set like is regexp rlike xor div mod index key partition window row binary match join straight_join use force
    ignore unsigned double of`,
};

/**
 * Functions that only compute: built in, not volatile in `pg_proc`, or volatile only because two calls may differ
 * (`random`, `clock_timestamp`, `gen_random_uuid`, the size functions). A test checks the list against PostgreSQL's catalog.
 */
export const pureCalls: Names = {
  both: `coalesce nullif greatest least lower upper length char_length character_length octet_length bit_length concat
    concat_ws substr left right lpad rpad ltrim rtrim replace reverse repeat ascii md5 abs ceil ceiling floor round sign
    sqrt power pow exp ln log log10 pi sin cos tan asin acos atan atan2 cot degrees radians now date regexp_replace
    regexp_like regexp_instr regexp_substr row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value
    last_value nth_value version json_object`,
  postgresql: `random clock_timestamp statement_timestamp transaction_timestamp timeofday gen_random_uuid uuidv4 uuidv7
    age date_part date_trunc date_bin date_add date_subtract make_date make_time make_timestamp make_timestamptz
    make_interval justify_days justify_hours justify_interval to_char to_date to_number to_timestamp isfinite timezone
    text int2 int4 int8 float4 float8 bool bpchar varchar name timestamptz
    btrim initcap translate strpos split_part starts_with chr encode decode quote_ident quote_literal quote_nullable
    to_hex to_ascii format regexp_match regexp_matches regexp_count regexp_split_to_array regexp_split_to_table
    string_to_array string_to_table sha224 sha256 sha384 sha512 crc32 unistr parse_ident convert_from convert_to
    trunc div mod cbrt factorial gcd lcm scale min_scale trim_scale width_bucket log10 sinh cosh tanh
    cardinality array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position
    array_positions array_prepend array_remove array_replace array_to_string array_upper trim_array unnest
    generate_series generate_subscripts
    to_json to_jsonb row_to_json array_to_json json_build_object json_build_array jsonb_build_object jsonb_build_array
    jsonb_object json_array_length jsonb_array_length json_each jsonb_each json_each_text jsonb_each_text
    json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_object_keys
    jsonb_object_keys json_array_elements jsonb_array_elements json_array_elements_text jsonb_array_elements_text
    json_to_record jsonb_to_record json_to_recordset jsonb_to_recordset json_populate_record jsonb_populate_record
    json_populate_recordset jsonb_populate_recordset json_typeof jsonb_typeof json_strip_nulls jsonb_strip_nulls
    jsonb_set jsonb_insert jsonb_pretty jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first
    to_tsvector to_tsquery plainto_tsquery phraseto_tsquery websearch_to_tsquery ts_rank ts_rank_cd ts_headline setweight
    numnode querytree tsvector_to_array strip
    lower_inc upper_inc lower_inf upper_inf isempty range_merge int4range int8range numrange tsrange tstzrange daterange
    host hostmask masklen netmask network broadcast family abbrev inet_same_family
    pg_typeof pg_get_constraintdef pg_get_expr pg_get_indexdef pg_get_viewdef pg_get_userbyid pg_get_serial_sequence
    pg_get_functiondef format_type obj_description col_description to_regclass to_regtype to_regproc pg_table_is_visible
    pg_type_is_visible has_table_privilege has_schema_privilege has_column_privilege has_database_privilege
    current_database current_schema current_schemas current_setting pg_encoding_to_char pg_is_in_recovery
    pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_database_size pg_size_pretty pg_size_bytes
    pg_column_size pg_postmaster_start_time inet_client_addr inet_server_addr num_nulls num_nonnulls`,
  mysql: `if ifnull isnull interval substring trim mid instr locate position field find_in_set elt insert space strcmp
    char_length ucase lcase hex unhex bin oct conv crc32 sha sha1 sha2 to_base64 from_base64 format quote soundex char
    truncate mod rand least uuid uuid_to_bin bin_to_uuid is_uuid inet_aton inet_ntoa inet6_aton inet6_ntoa
    curdate current_date curtime current_time current_timestamp localtime localtimestamp sysdate utc_date utc_time
    utc_timestamp unix_timestamp from_unixtime date_add date_sub adddate subdate addtime subtime datediff timediff
    timestampdiff timestampadd date_format time_format str_to_date get_format extract year month monthname day dayname
    dayofmonth dayofweek dayofyear week weekday weekofyear yearweek quarter hour minute second microsecond last_day
    makedate maketime to_days to_seconds from_days time_to_sec sec_to_time period_add period_diff convert_tz timestamp
    convert cast bit_count json_extract json_unquote json_quote json_contains json_contains_path json_length json_depth
    json_keys json_search json_type json_valid json_value json_overlaps json_pretty json_merge_patch json_merge_preserve
    json_set json_insert json_replace json_remove json_array_append json_array_insert json_table json_storage_size json_array
    database schema user current_user session_user system_user charset collation coercibility values any_value grouping
    st_distance st_distance_sphere st_contains st_within st_intersects st_x st_y st_astext st_geomfromtext point
    st_latitude st_longitude member`,
};

/** Pure as well; they read more than one row. */
export const aggregateCalls: Names = {
  both: 'count sum avg min max stddev_pop stddev_samp var_pop var_samp variance stddev bit_and bit_or bit_xor',
  postgresql: `array_agg string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg bool_and bool_or every
    percentile_cont percentile_disc mode corr covar_pop covar_samp regr_slope regr_intercept regr_r2 any_value xmlagg
    range_agg`,
  mysql: 'group_concat json_arrayagg json_objectagg std',
};

/** Functions known to change data, the server, or what other sessions see. Any unlisted one counts as unknown. */
export const effectCalls: Names = {
  both: '',
  postgresql: `nextval setval pg_notify lo_import lo_export lo_creat lo_create lo_open lo_close loread lowrite lo_lseek
    lo_lseek64 lo_tell lo_tell64 lo_truncate lo_truncate64 lo_from_bytea lo_put lo_unlink dblink_exec dblink_send_query
    pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_switch_wal pg_create_restore_point
    pg_promote pg_sleep pg_sleep_for pg_sleep_until pg_advisory_xact_lock pg_advisory_xact_lock_shared
    pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_export_snapshot pg_logical_emit_message
    pg_create_physical_replication_slot pg_create_logical_replication_slot pg_drop_replication_slot
    pg_copy_physical_replication_slot pg_copy_logical_replication_slot pg_logical_slot_get_changes
    pg_logical_slot_get_binary_changes pg_replication_slot_advance pg_replication_origin_create
    pg_replication_origin_drop pg_stat_reset pg_stat_reset_shared pg_stat_reset_single_table_counters
    pg_stat_reset_single_function_counters pg_stat_reset_slru pg_wal_replay_pause pg_wal_replay_resume
    pg_import_system_collations pg_log_backend_memory_contexts brin_summarize_new_values brin_summarize_range
    brin_desummarize_range gin_clean_pending_list`,
  mysql: `sleep benchmark load_file master_pos_wait source_pos_wait wait_for_executed_gtid_set
    wait_until_sql_thread_after_gtids`,
};

/** Functions that leave a lock, a setting or a connection behind on this session. */
export const lockCalls: Names = {
  both: '',
  postgresql: `set_config setseed dblink dblink_connect dblink_connect_u dblink_disconnect dblink_open dblink_close
    dblink_fetch pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all pg_backup_start pg_backup_stop
    pg_replication_origin_session_setup pg_replication_origin_session_reset`,
  mysql:
    'get_lock release_lock release_all_locks service_get_read_locks service_get_write_locks service_release_locks',
};
