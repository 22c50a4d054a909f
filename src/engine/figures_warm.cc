// INFO warm: how far the node is filled from its database.
#include "src/command/warm_control.h"
#include "src/command/warm_gate_control.h"
#include "src/engine/reports.h"

namespace hearth {
namespace {

namespace fig = figure;

struct Warmth {
  WarmGateStatus gate;
  std::size_t epochs = 0;
};

// The label ends at the first ':' of its line, and parts at ','.
std::string label_of(std::string_view name) {
  std::string label(name);
  for (char& c : label) {
    if (c == ':' || c == ',' || c == '=' || c == ' ') c = '_';
  }
  return label;
}

void add_mappings(const Warmth& warmth, FigureView& view) {
  for (const WarmMapping& mapping : warmth.gate.mappings) {
    view.begin_member(label_of(mapping.name));
    view.add_part("state", warm_state_name(mapping.state));
    view.add_part("done", mapping.done);
    view.add_part("total", mapping.total ? static_cast<std::int64_t>(*mapping.total) : -1);
    view.end_member();
  }
}

constexpr FigureRow<Warmth> kWarmRows[] = {
    {fig::text("warm_state", "cold, warming or ready: whether the node serves."),
     [](const Warmth& f) { return warm_state_name(f.gate.state); }},
    {fig::text("warm_gate", "off, closed (clients hear LOADING) or open."),
     [](const Warmth& f) { return f.gate.gate; }},
    {fig::text("warm_opened_by", "Why the node is ready."),
     [](const Warmth& f) { return f.gate.opened_by; }},
    {fig::gauge("warm_fraction", "Part of the rows that loaders have told of as done."),
     [](const Warmth& f) { return FigureValue::decimal(f.gate.fraction, 4); }},
    {fig::gauge("warm_seconds_left", "Seconds until the gate opens by itself; 0: it is open."),
     [](const Warmth& f) { return f.gate.left.value_or(seconds{0}).count(); }},
    {fig::gauge("warm_epochs", "Epochs of loaders that are open."),
     [](const Warmth& f) { return f.epochs; }},
    {fig::text("warm_loader",
               "The loader that the server runs: off, running, waiting, done, failed."),
     [](const Warmth& f) { return f.gate.loader; }},
    {fig::counter("warm_loader_runs", "How often it was started."),
     [](const Warmth& f) { return f.gate.loader_runs; }},
    {fig::gauge("warm_mapping_", "A mapping of a loader: its state, its rows and their estimate."),
     add_mappings},
};

}  // namespace

void Reports::write_warm(FigureView& view) {
  const Services& services = parts_.core.services;
  const Warmth warmth{services.warm_gate->status(), services.warm->status().size()};
  show_rows<Warmth>(kWarmRows, &warmth, view);
}

}  // namespace hearth
