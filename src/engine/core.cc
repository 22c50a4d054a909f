#include "src/engine/core.h"

#include <utility>

#include "cluster/model/slot.h"
#include "src/base/hash.h"
#include "src/command/script_control.h"

namespace hearth {

EngineCore::EngineCore(EngineOptions options)
    : config(*options.config),
      commands(*options.commands),
      host(*options.host),
      ticks(options.ticks),
      facts(std::move(options.facts)),
      keyspace(options.seed,
               settings().cluster_enabled ? settings().cluster_databases : settings().databases,
               settings().cluster_enabled),
      rng(options.seed ^ 0x5bd1e995),
      hot_keys(options.seed),
      pubsub(options.seed),
      output_most(options.output_most),
      mono(options.mono) {
  env.keyspace = &keyspace;
  env.effects = &effects;
  env.stats = &stats;
  env.rng = &rng;
  env.reclaimer = options.reclaimer;
  env.now = env.clock = options.now;
  env.per_slot = settings().cluster_enabled;
  services.commands = &commands;
  services.config = &config;
  services.pubsub = &pubsub;
  services.stats = &stats;
  services.command_logs = &command_logs;
  services.hot_keys = &hot_keys;
  services.latency = &latency;
  services.reclaimer = options.reclaimer;
  services.server = options.server;
  services.migration = options.migration;
  services.cluster = options.cluster;
  services.debug = &debug;
  services.persistence = options.persistence;
  services.replication = options.replication;
  services.replica = options.replica;
  stats.commands.resize(commands.id_count());
  stats.latencies.resize(commands.id_count());
  if (facts.cpu != nullptr) {
    hot_keys.set_cpu_source([this]() -> HotKeys::CpuMillis {
      const ProcessFacts::Cpu cpu = facts.cpu();
      return {static_cast<std::int64_t>(cpu.user * 1000),
              static_cast<std::int64_t>(cpu.system * 1000)};
    });
  }
}

Flag flags_in_effect(const Services& services, const Command& command,
                     std::span<const std::string_view> argv) {
  if (!has(command.flags, Flag::kRunsScript) || services.scripts == nullptr) return command.flags;
  const std::optional<ScriptFlags> said = services.scripts->flags_of(command.full_name, argv);
  if (!said || (*said & script_flag::kUnmarked) != 0) return command.flags;
  constexpr Flag kReplaced = Flag::kStale | Flag::kDenyOom | Flag::kWrite | Flag::kMayReplicate;
  auto flags = static_cast<Flag>(static_cast<std::uint32_t>(command.flags) &
                                 ~static_cast<std::uint32_t>(kReplaced));
  const bool writes = (*said & script_flag::kNoWrites) == 0;
  if (writes) flags = flags | Flag::kWrite;
  if (writes && (*said & script_flag::kAllowOom) == 0) flags = flags | Flag::kDenyOom;
  if ((*said & script_flag::kAllowStale) != 0) flags = flags | Flag::kStale;
  return flags;
}

KeyRef first_key_of(const EngineCore& core, const Command& command,
                    std::span<const std::string_view> argv) {
  const int first = command.first_key;
  if (first <= 0 || static_cast<std::size_t>(first) >= argv.size()) return {};
  const std::string_view name = argv[static_cast<std::size_t>(first)];
  return {name, hash_bytes(name, core.keyspace.seed()),
          core.env.per_slot ? cluster::slot_of(name) : Slot{0}};
}

}  // namespace hearth
