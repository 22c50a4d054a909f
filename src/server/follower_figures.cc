// INFO replication of a replica.
#include "src/metrics/figures.h"
#include "src/server/follower.h"

namespace hearth {
namespace {

namespace fig = figure;

}  // namespace

struct Follower::Figures {
  const Follower& f;
  MonoTime now;

  [[nodiscard]] std::int64_t seconds_since(MonoTime t) const {
    return std::chrono::duration_cast<seconds>(now - t).count();
  }
  // A row that is there while the snapshot arrives or is loaded.
  template <typename F>
  [[nodiscard]] FigureValue while_syncing(F&& value) const {
    return is_syncing() ? FigureValue(value()) : FigureValue();
  }
  [[nodiscard]] bool is_syncing() const {
    return f.side_.state() == Side::State::kTransfer || f.side_.state() == Side::State::kLoad;
  }
  // Bytes of the snapshot, 0 if the primary does not say.
  [[nodiscard]] std::int64_t total() const {
    const auto& header = f.side_.header();
    return header && header->bytes ? static_cast<std::int64_t>(*header->bytes) : 0;
  }
  [[nodiscard]] std::int64_t read() const { return static_cast<std::int64_t>(f.side_.received()); }
  [[nodiscard]] std::uint64_t offset() const { return f.ports_.replication->offset(); }

  static const FigureRow<Figures> kRows[];
};

constexpr FigureRow<Follower::Figures> Follower::Figures::kRows[] = {
    {fig::text("master_host", "Address of the primary."),
     [](const Figures& r) { return std::string_view(r.f.side_.host()); }},
    {fig::text("master_port", "Its port."), [](const Figures& r) { return r.f.side_.port(); }},
    {fig::text("master_link_status", "up or down."),
     [](const Figures& r) { return r.f.link_is_up() ? "up" : "down"; }},
    {fig::gauge("master_last_io_seconds_ago", "Seconds since the primary was heard, or -1."),
     [](const Figures& r) {
       return r.f.link_is_up() ? r.seconds_since(r.f.side_.heard_at()) : -1;
     }},
    {fig::gauge("master_sync_in_progress", "1 while a snapshot arrives or is loaded."),
     [](const Figures& r) { return r.is_syncing(); }},
    {fig::counter("slave_read_repl_offset", "Offset of the stream that was received."),
     [](const Figures& r) {
       return r.offset() + (r.f.link_is_up() ? r.f.side_.ahead() : std::uint64_t{0});
     }},
    {fig::counter("slave_repl_offset", "Offset of the stream that was run."),
     [](const Figures& r) { return r.offset(); }},
    {fig::gauge("master_sync_total_bytes", "Bytes of the snapshot, 0: not known."),
     [](const Figures& r) { return r.while_syncing([&] { return r.total(); }); }},
    {fig::gauge("master_sync_read_bytes", "Bytes of it that arrived."),
     [](const Figures& r) { return r.while_syncing([&] { return r.read(); }); }},
    {fig::gauge("master_sync_left_bytes", "Bytes of it that are missing, -1: not known."),
     [](const Figures& r) {
       return r.while_syncing([&] { return r.total() == 0 ? -1 : r.total() - r.read(); });
     }},
    {fig::gauge("master_sync_perc", "The share that arrived, in percent."),
     [](const Figures& r) {
       return r.while_syncing([&] {
         const double total = static_cast<double>(r.total());
         return FigureValue::decimal(
             r.total() == 0 ? 0.0 : 100.0 * static_cast<double>(r.read()) / total);
       });
     }},
    {fig::gauge("master_sync_last_io_seconds_ago", "Seconds since a byte of it arrived."),
     [](const Figures& r) {
       return r.while_syncing([&] { return r.seconds_since(r.f.side_.heard_at()); });
     }},
    {fig::gauge("master_link_down_since_seconds", "Seconds since the link was lost."),
     [](const Figures& r) {
       return r.f.link_is_up() ? FigureValue()
                               : FigureValue(r.seconds_since(r.f.side_.down_since()));
     }},
    {fig::setting("slave_priority", "The parameter replica-priority."),
     [](const Figures& r) { return r.f.settings().replica_priority; }},
    {fig::setting("slave_read_only", "The parameter replica-read-only."),
     [](const Figures& r) { return r.f.settings().replica_read_only; }},
    {fig::setting("replica_announced", "The parameter replica-announced."),
     [](const Figures& r) { return r.f.settings().replica_announced; }},
};

void Follower::write_figures(FigureView& view) {
  const Figures figures{*this, ports_.clock->mono_now()};
  show_rows<Figures>(Figures::kRows, &figures, view);
}

void Follower::list_figures(FigureView& view) { show_rows<Figures>(Figures::kRows, nullptr, view); }

}  // namespace hearth
