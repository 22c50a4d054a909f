// The texts of LATENCY GRAPH and LATENCY DOCTOR about the spikes that were seen.
#pragma once

#include <string>
#include <string_view>

#include "src/base/time.h"
#include "src/metrics/latency_monitor.h"

namespace hearth::commands {

// A bar for each sample, as high as its share of the worst one shown; under each its age.
[[nodiscard]] std::string latency_graph(std::string_view event,
                                        const LatencyMonitor::Series& series, UnixMillis now);

// One paragraph for each event, and advice where the event is one that can be avoided.
[[nodiscard]] std::string latency_report(const LatencyMonitor& monitor, milliseconds threshold);

}  // namespace hearth::commands
