// Reports: the figures of INFO, and those that other commands ask for.
//
// A section is a function that shows a view its rows (src/metrics/figures.h). The rows stand in
// figures_*.cc, next to the function of their section.
#pragma once

#include <string>

#include "src/command/info_control.h"
#include "src/engine/blocking.h"
#include "src/engine/core.h"
#include "src/engine/eviction.h"
#include "src/engine/sessions.h"
#include "src/engine/tracking.h"
#include "src/metrics/figures.h"
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
  // The instantaneous_* figures.
  struct Rates {
    RateMeter ops, input, output, repl_input, repl_output, cycles, turn_time;
  };
  Reports(const Parts& parts, std::string replication_id);

  // InfoControl
  [[nodiscard]] std::span<const Section> sections() const override;
  void write(const Section& section, FigureView& view) override;
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
  struct SectionRow {
    Section section;
    std::string_view title;
    void (Reports::*write)(FigureView&);
  };
  static const SectionRow kSectionRows[];

  void write_server(FigureView& view);
  void write_clients(FigureView& view);
  void write_memory(FigureView& view);
  void write_persistence(FigureView& view);
  void write_stats(FigureView& view);
  void write_replication(FigureView& view);
  void write_cpu(FigureView& view);
  void write_modules(FigureView& view);
  void write_commandstats(FigureView& view);
  void write_errorstats(FigureView& view);
  void write_latencystats(FigureView& view);
  void write_cluster(FigureView& view);
  void write_warm(FigureView& view);
  void write_keyspace(FigureView& view);
  void write_key_sizes(FigureView& view);
  void write_debug(FigureView& view);

  Parts parts_;
  std::string replication_id_;
  MonoTime started_mono_;
  std::uint64_t startup_bytes_;
  int tick_rate_ = 10;
  std::uint64_t tick_count_ = 0;
  Rates rates_;
};

}  // namespace hearth
