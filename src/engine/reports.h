// Reports: INFO, and the figures that other commands ask for.
#pragma once

#include <string>

#include "src/engine/blocking.h"
#include "src/engine/core.h"
#include "src/engine/eviction.h"
#include "src/engine/sessions.h"
#include "src/engine/tracking.h"
#include "src/metrics/stats.h"

namespace hearth {

class Reports final : public InfoControl {
 public:
  struct Parts {
    EngineCore& core;
    const Sessions& sessions;
    const Blocking& blocking;
    const Tracker& tracker;
    const Eviction& eviction;
    UnixMillis started;
  };
  Reports(const Parts& parts, std::string replication_id);

  // InfoControl
  [[nodiscard]] std::span<const Section> sections() const override;
  void write(std::string_view section, InfoWriter& out) override;
  [[nodiscard]] MemoryFigures memory_figures() override;
  [[nodiscard]] std::string_view version() const override { return parts_.core.facts.version; }
  [[nodiscard]] UnixMillis started() const override { return parts_.started; }
  [[nodiscard]] std::string_view replication_id() const override { return replication_id_; }
  [[nodiscard]] std::uint64_t replication_offset() const override {
    return parts_.core.replication_offset();
  }
  void change_replication_id() override;
  void set_replication_id(std::string id) { replication_id_ = std::move(id); }

  // Once a tick; rates are sampled every 100 ms, however many ticks that is.
  void tick();
  void set_tick_rate(int rate) { tick_rate_ = rate; }

 private:
  void write_server(InfoWriter& out);
  void write_clients(InfoWriter& out);
  void write_memory(InfoWriter& out);
  void write_persistence(InfoWriter& out);
  void write_stats(InfoWriter& out);
  void write_replication(InfoWriter& out);
  void write_cpu(InfoWriter& out);
  void write_commandstats(InfoWriter& out);
  void write_errorstats(InfoWriter& out);
  void write_latencystats(InfoWriter& out);
  void write_cluster(InfoWriter& out);
  void write_keyspace(InfoWriter& out);
  void write_key_sizes(InfoWriter& out);
  void write_debug(InfoWriter& out);

  Parts parts_;
  std::string replication_id_;
  MonoTime started_mono_;
  std::uint64_t startup_bytes_;
  int tick_rate_ = 10;
  std::uint64_t tick_count_ = 0;
  RateMeter ops_rate_, input_rate_, output_rate_, repl_input_rate_, repl_output_rate_, cycles_rate_,
      turn_time_rate_;
};

}  // namespace hearth
