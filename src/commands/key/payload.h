// How this server writes values for others, and what it accepts of them: the choices that DUMP,
// RESTORE, MIGRATE and snapshots share.
#pragma once

#include "persistence/rdb/dump.h"
#include "src/command/context.h"

namespace hearth::commands {

[[nodiscard]] inline rdb::EncodeOptions encode_options(const config::Settings& s, UnixMillis now) {
  rdb::EncodeOptions options;
  options.target =
      s.rdb_compat == config::RdbCompat::kRedis70 ? rdb::Target::kRedis70 : rdb::Target::kRedis72;
  options.compression = s.rdbcompression ? rdb::Compression::kOn : rdb::Compression::kOff;
  options.now = now;
  return options;
}
[[nodiscard]] inline rdb::EncodeOptions payload_options(const CommandContext& ctx) {
  return encode_options(ctx.settings(), ctx.now());
}

// Limits of what may be read, for values that a client brings or that stand in a file. A file was
// written under the limits of its writer, which may have been others: string_bytes is then
// kAnyLength.
inline constexpr std::uint64_t kAnyLength = INT64_MAX / 16;
// seed: of the keyspace; packed_threshold: of DebugSwitches.
[[nodiscard]] inline rdb::DecodeLimits decode_limits(const config::Settings& s, std::uint64_t seed,
                                                     std::uint64_t packed_threshold,
                                                     std::uint64_t string_bytes) {
  rdb::DecodeLimits limits;
  limits.hash = {s.hash_max_listpack_entries, s.hash_max_listpack_value, seed};
  limits.set = {s.set_max_intset_entries, s.set_max_listpack_entries, s.set_max_listpack_value,
                seed};
  limits.list = {s.list_max_listpack_size, packed_threshold};
  limits.zset = {s.zset_max_listpack_entries, s.zset_max_listpack_value, seed};
  limits.string_bytes = string_bytes;
  return limits;
}

[[nodiscard]] inline rdb::VersionCheck version_check(const config::Settings& s) {
  return s.rdb_version_check == config::VersionCheck::kRelaxed ? rdb::VersionCheck::kRelaxed
                                                               : rdb::VersionCheck::kStrict;
}

}  // namespace hearth::commands
