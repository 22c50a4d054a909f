// How this server writes values for others: the one choice that DUMP and MIGRATE share.
#pragma once

#include "persistence/rdb/dump.h"
#include "src/command/context.h"

namespace hearth::commands {

[[nodiscard]] inline rdb::EncodeOptions payload_options(const CommandContext& ctx) {
  const config::Settings& s = ctx.settings();
  rdb::EncodeOptions options;
  options.target =
      s.rdb_compat == config::RdbCompat::kRedis70 ? rdb::Target::kRedis70 : rdb::Target::kRedis72;
  options.compression = s.rdbcompression ? rdb::Compression::kOn : rdb::Compression::kOff;
  options.now = ctx.now();
  return options;
}

}  // namespace hearth::commands
