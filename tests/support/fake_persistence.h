// FakePersistence and FakeReplication: what surrounds an engine, as far as tests of commands need
// it. They count what they are asked for and answer as if it worked.
#pragma once

#include "src/command/context.h"
#include "src/command/handover_control.h"
#include "src/command/persistence_control.h"
#include "src/command/replica_control.h"
#include "src/command/replication_control.h"
#include "src/metrics/figures.h"

namespace hearth::test {

class FakePersistence final : public PersistenceControl {
 public:
  Outcome save() override {
    ++saves;
    return {};
  }
  Result<std::string_view, ReplyError> save_in_background(WhenBusy busy) override {
    last_busy = busy;
    ++background_saves;
    return "Background saving started";
  }
  Result<std::string_view, ReplyError> cancel_background_save() override {
    if (background_saves == 0)
      return refuse("ERR Background saving is currently not in progress or scheduled");
    return "Background saving cancelled";
  }
  Result<std::string_view, ReplyError> rewrite_log() override {
    ++rewrites;
    return "Background append only file rewriting started";
  }
  Outcome reload(const Reload& how) override {
    last_reload = how;
    return {};
  }
  Outcome reload_log() override { return {}; }
  std::int64_t last_save() const override { return 1234; }
  bool is_loading() const override { return loading; }
  std::string_view write_refusal() const override { return refusal; }
  void flushed_all() override { ++flushes; }
  void slow_down_log(microseconds by) override { slowed = by; }
  void write_figures(FigureView& view) override { view.add(figure::gauge("loading", ""), loading); }
  void write_fork_figures(FigureView& view) override {
    view.add(figure::counter("total_forks", ""), 0);
  }

  int saves = 0, background_saves = 0, rewrites = 0, flushes = 0;
  WhenBusy last_busy = WhenBusy::kRefuse;
  Reload last_reload;
  bool loading = false;
  std::string refusal;
  microseconds slowed{0};
};

class FakeHandover final : public HandoverControl {
 public:
  Outcome begin(const Order& order) override {
    last_order = order;
    return {};
  }
  bool abort() override { return true; }
  std::string_view state() const override { return "no-failover"; }

  Order last_order;
};

class FakeReplica final : public ReplicaControl {
 public:
  Outcome follow(std::string_view host, std::uint16_t port, CommandContext& by) override {
    primary = std::string(host) + ":" + std::to_string(port);
    by.reply().ok();
    return {};
  }
  Outcome follow_nobody(CommandContext& by) override {
    primary.clear();
    by.reply().ok();
    return {};
  }
  bool is_replica() const override { return !primary.empty(); }
  bool link_is_up() const override { return link_up; }
  void take_over() override { primary.clear(); }
  void write_role(ReplyWriter& out) override { out.array(0); }
  void write_figures(FigureView& view) override {
    view.add(figure::text("master_link_status", ""), link_up ? "up" : "down");
  }

  std::string primary;
  bool link_up = true;
};

class FakeReplication : public ReplicationControl {
 public:
  Outcome sync(CommandContext&) override {
    ++syncs;
    return {};
  }
  Outcome configure(CommandContext& ctx) override {
    ctx.reply().ok();
    return {};
  }
  void write_role(ReplyWriter& out) override { out.array(0); }
  void write_figures(FigureView& view) override {
    view.add(figure::gauge("connected_slaves", ""), 0);
  }
  void write_sync_figures(FigureView& view) override {
    view.add(figure::counter("sync_full", ""), 0);
  }
  void closed(Session&) override {}
  std::uint64_t offset() const override { return 7; }
  std::uint64_t backlog_bytes() const override { return 0; }
  std::uint64_t unsent_bytes() const override { return unsent; }
  std::size_t fed_replicas() const override { return fed; }
  void id_changed() override {}

  int syncs = 0;
  std::size_t fed = 0;
  std::uint64_t unsent = 0;
};

}  // namespace hearth::test
