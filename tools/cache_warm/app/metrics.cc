#include "tools/cache_warm/app/metrics.h"

#include <fmt/core.h>
#include <prometheus/collectable.h>
#include <prometheus/exposer.h>
#include <prometheus/metric_family.h>

#include <stdexcept>

namespace hearth::warm {
namespace {

struct Counted {
  const char* name;
  const char* help;
  std::uint64_t MappingTally::*count;
};
constexpr Counted kCounted[] = {
    {"cache_warm_rows_read_total", "Rows read from the database.", &MappingTally::rows_read},
    {"cache_warm_rows_stored_total", "Rows acknowledged by the target.",
     &MappingTally::rows_stored},
    {"cache_warm_rows_bad_total", "Rows that could not be stored.", &MappingTally::rows_bad},
    {"cache_warm_rows_expired_total", "Rows whose time to live was over.",
     &MappingTally::rows_expired},
    {"cache_warm_rows_skipped_total", "Rows that the mapping passes over.",
     &MappingTally::rows_skipped},
    {"cache_warm_keys_deleted_total", "Keys deleted.", &MappingTally::keys_deleted},
    {"cache_warm_bytes_total", "Bytes of commands.", &MappingTally::bytes},
};

class TallyCollector final : public prometheus::Collectable {
 public:
  TallyCollector(std::function<std::vector<MappingTally>()> tallies,
                 std::function<std::vector<Gauge>()> gauges)
      : tallies_(std::move(tallies)), gauges_(std::move(gauges)) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override {
    const auto tallies = tallies_();
    std::vector<prometheus::MetricFamily> families;
    for (const auto& counted : kCounted) {
      prometheus::MetricFamily family;
      family.name = counted.name;
      family.help = counted.help;
      family.type = prometheus::MetricType::Counter;
      for (const auto& tally : tallies) {
        prometheus::ClientMetric metric;
        metric.label.push_back({"mapping", tally.name});
        metric.counter.value = static_cast<double>(tally.*counted.count);
        family.metric.push_back(std::move(metric));
      }
      families.push_back(std::move(family));
    }
    for (const Gauge& gauge : gauges_()) {
      prometheus::MetricFamily family;
      family.name = gauge.name;
      family.help = gauge.help;
      family.type = prometheus::MetricType::Gauge;
      family.metric.emplace_back().gauge.value = gauge.value;
      families.push_back(std::move(family));
    }
    return families;
  }

 private:
  std::function<std::vector<MappingTally>()> tallies_;
  std::function<std::vector<Gauge>()> gauges_;
};

}  // namespace

struct Metrics::Parts {
  std::shared_ptr<TallyCollector> collector;
  std::unique_ptr<prometheus::Exposer> exposer;
};

Metrics::Metrics(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Metrics::~Metrics() = default;

Result<std::unique_ptr<Metrics>> Metrics::listen(const std::string& address,
                                                 std::function<std::vector<MappingTally>()> tallies,
                                                 std::function<std::vector<Gauge>()> gauges) {
  auto parts = std::make_unique<Parts>();
  parts->collector = std::make_shared<TallyCollector>(std::move(tallies), std::move(gauges));
  try {
    parts->exposer = std::make_unique<prometheus::Exposer>(address, 1);
    parts->exposer->RegisterCollectable(parts->collector);
  } catch (const std::exception& error) {  // how the library says that it cannot listen
    return fail(ErrorCode::kIo, fmt::format("--metrics {}: {}", address, error.what()));
  }
  return std::unique_ptr<Metrics>(new Metrics(std::move(parts)));
}

}  // namespace hearth::warm
