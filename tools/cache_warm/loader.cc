#include "tools/cache_warm/loader.h"

#include <fmt/core.h>

#include <algorithm>

namespace hearth::warm {
namespace {

// The clock, the interrupt and the error limit are looked at once in so many rows.
constexpr std::uint64_t kRowsPerLook = 256;
constexpr milliseconds kInterruptedDrain{5'000};
constexpr std::size_t kShownBytes = 300;

// A row's tag: its mapping in the upper 16 bits, its number in the others.
constexpr int kRowBits = 48;
std::uint64_t tag_of(std::size_t mapping, std::uint64_t row) {
  return (std::uint64_t{mapping} << kRowBits) | row;
}
std::size_t mapping_of(std::uint64_t tag) { return static_cast<std::size_t>(tag >> kRowBits); }
std::uint64_t row_of(std::uint64_t tag) { return tag & ((std::uint64_t{1} << kRowBits) - 1); }

double seconds_between(MonoTime from, MonoTime to) {
  return static_cast<double>((to - from).count()) / 1e6;
}

std::string shown(std::string_view bytes) {
  std::string out;
  for (const char c : bytes.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\r') {
      out += "\\r";
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  if (bytes.size() > kShownBytes) out += fmt::format("... ({} bytes)", bytes.size());
  return out;
}

}  // namespace

MappingTally LoadReport::total() const {
  MappingTally sum;
  for (const auto& one : mappings) {
    sum.rows_read += one.rows_read;
    sum.rows_stored += one.rows_stored;
    sum.rows_bad += one.rows_bad;
    sum.rows_expired += one.rows_expired;
    sum.bytes += one.bytes;
  }
  return sum;
}

std::uint64_t LoadReport::unconfirmed() const {
  const MappingTally sum = total();
  return sum.rows_read - sum.rows_stored - sum.rows_bad - sum.rows_expired;
}

void Loader::on_done(std::uint64_t tag) { ++report_.mappings[mapping_of(tag)].rows_stored; }

void Loader::on_refused(std::uint64_t tag, std::string_view key, std::string_view error) {
  reject(mapping_of(tag), row_of(tag), key, fmt::format("the server refused it: {}", error));
}

void Loader::reject(std::size_t mapping, std::uint64_t row, std::string_view key,
                    std::string_view reason) {
  MappingTally& tally = report_.mappings[mapping];
  ++tally.rows_bad;
  progress_.clear();
  rejects_.add({tally.name, row, key, reason});
}

void Loader::show_progress(const MappingTally& tally, MonoTime now) {
  progress_.update(tally.rows_stored + tally.rows_bad + tally.rows_expired, tally.bytes,
                   tally.rows_bad, now);
}

Loader::Stop Loader::target_stop(const Error& error) {
  if (error.code == ErrorCode::kBusy) return {LoadEnd::kInterrupted, error.context};
  return {LoadEnd::kTargetFailed, error.context};
}

LoadReport Loader::run(Source& source, RowSink& sink) {
  report_ = LoadReport{};
  const MonoTime begun = clock_.mono_now();
  for (std::size_t i = 0; i < plan_.mappings.size(); ++i) {
    const MonoTime mapping_begun = clock_.mono_now();
    report_.mappings.push_back({});
    report_.mappings.back().name = plan_.mappings[i].name;
    auto stop = load_mapping(i, source, sink);
    // Every row of a mapping has its answer before the next begins, so its time is its own. After a
    // failure of the target nothing more will come.
    if (!stop || stop->end != LoadEnd::kTargetFailed) {
      const auto limit = stop ? std::optional(kInterruptedDrain) : std::nullopt;
      if (auto drained = sink.finish(limit); !drained && !stop) stop = target_stop(drained.error());
    }
    if (!stop && rejects_.is_too_many()) stop = Stop{LoadEnd::kTooManyErrors, "too many bad rows"};
    progress_.end();
    report_.mappings[i].seconds = seconds_between(mapping_begun, clock_.mono_now());
    if (stop) {
      report_.end = stop->end;
      report_.reason = stop->reason;
      break;
    }
  }
  report_.seconds = seconds_between(begun, clock_.mono_now());
  return report_;
}

Loader::MaybeStop Loader::load_mapping(std::size_t index, Source& source, RowSink& sink) {
  const Mapping& mapping = plan_.mappings[index];
  const auto expected = source.estimate_rows(mapping.selection);
  if (!expected) return Stop{LoadEnd::kSourceFailed, expected.error().context};
  progress_.begin(mapping.name, *expected, clock_.mono_now());
  const auto parts = source.partitions(mapping.selection, 1);
  if (!parts) return Stop{LoadEnd::kSourceFailed, parts.error().context};
  for (const auto& part : *parts) {
    if (auto stop = load_part(index, source, part, sink)) return stop;
  }
  return std::nullopt;
}

Loader::MaybeStop Loader::load_part(std::size_t index, Source& source, const Partition& part,
                                    RowSink& sink) {
  const Mapping& mapping = plan_.mappings[index];
  MappingTally& tally = report_.mappings[index];
  auto stream = source.open(mapping.selection, part);
  if (!stream) return Stop{LoadEnd::kSourceFailed, stream.error().context};
  auto encoder = RowEncoder::bind(mapping, (*stream)->columns());
  if (!encoder) return Stop{LoadEnd::kSourceFailed, encoder.error().context};
  RateLimit limit(mapping.rows_per_second, clock_.mono_now());

  for (;;) {
    if (tally.rows_read % kRowsPerLook == 0) {
      if (interrupt_.load(std::memory_order_relaxed))
        return Stop{LoadEnd::kInterrupted, "interrupted"};
      show_progress(tally, clock_.mono_now());
    }
    if (rejects_.is_too_many()) return Stop{LoadEnd::kTooManyErrors, "too many bad rows"};
    if (limit.is_limited()) {
      if (auto stop = wait_for_rate(limit, sink)) return stop;
    }
    auto row = (*stream)->next();
    if (!row) return Stop{LoadEnd::kSourceFailed, row.error().context};
    if (!*row) return std::nullopt;
    ++tally.rows_read;
    switch (encoder->encode(**row)) {
      case RowOutcome::kExpired: ++tally.rows_expired; continue;
      case RowOutcome::kBad:
        reject(index, tally.rows_read, encoder->key(), encoder->problem());
        continue;
      case RowOutcome::kEncoded: break;
    }
    auto operation = encoder->operation();
    operation.tag = tag_of(index, tally.rows_read);
    tally.bytes += operation.bytes.size();
    if (auto put = sink.put(operation); !put) return target_stop(put.error());
  }
}

Loader::MaybeStop Loader::wait_for_rate(RateLimit& limit, RowSink& sink) {
  for (;;) {
    const milliseconds wait = limit.take(clock_.mono_now());
    if (wait.count() == 0) return std::nullopt;
    if (interrupt_.load(std::memory_order_relaxed))
      return Stop{LoadEnd::kInterrupted, "interrupted"};
    if (auto idled = sink.idle(std::min(wait, milliseconds{50})); !idled)
      return target_stop(idled.error());
  }
}

LoadReport Loader::dry_run(Source& source, std::uint64_t count) {
  report_ = LoadReport{};
  const MonoTime begun = clock_.mono_now();
  // Prints what would be stored, then counts it as stored.
  class Printer final : public RowSink {
   public:
    Printer(Loader& loader, std::uint64_t shown_rows) : loader_(loader), shown_(shown_rows) {}
    Result<void> put(const client::Operation& row) override {
      const std::size_t mapping = mapping_of(row.tag);
      if (mapping != mapping_) printed_ = 0;
      mapping_ = mapping;
      if (printed_++ < shown_)
        fmt::print("{}\n  {}\n", shown(row.key), shown(described(row.bytes)));
      loader_.on_done(row.tag);
      return {};
    }
    Result<void> idle(milliseconds) override { return {}; }
    Result<void> finish(std::optional<milliseconds>) override { return {}; }

   private:
    // The arguments of the commands, separated by blanks.
    static std::string described(std::string_view bytes) {
      std::string text;
      ReplyParser parser;
      parser.feed(bytes);
      for (;;) {
        auto command = parser.next();
        if (!command || !*command) return text;
        if (!text.empty()) text += "; ";
        const auto args = (*command)->items();
        for (std::size_t i = 0; i < args.size(); ++i) {
          if (i > 0) text += ' ';
          text += args[i].text();
        }
      }
    }
    Loader& loader_;
    std::uint64_t shown_;
    std::uint64_t printed_ = 0;
    std::size_t mapping_ = ~std::size_t{0};
  };
  Printer printer(*this, count);
  LoadReport report = run(source, printer);
  report.seconds = seconds_between(begun, clock_.mono_now());
  return report;
}

}  // namespace hearth::warm
