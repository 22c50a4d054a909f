#include "tools/cache_warm/dry_run.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "src/base/hash.h"
#include "src/proto/reply_parser.h"
#include "tools/cache_warm/progress.h"
#include "tools/warm_mapping/redis_value.h"
#include "tools/warm_mapping/row_encoder.h"

namespace hearth::warm {
namespace {

constexpr std::size_t kShownBytes = 300;
constexpr std::uint64_t kOverheadOfKey = 48;

std::string shown_bytes(std::string_view bytes) {
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

// The items of a payload: what stands between its count and its footer.
std::string payload_shown(std::string_view payload) {
  constexpr std::size_t kFooter = 10;
  if (payload.size() < 2 + kFooter) return "";
  const auto type = static_cast<PayloadType>(payload[0]);
  std::string_view items = payload.substr(1, payload.size() - 1 - kFooter);
  const auto first = static_cast<unsigned char>(items[0]);
  const std::size_t header = first < 0x40 ? 1 : first < 0x80 ? 2 : first == 0x80 ? 5 : 9;
  items.remove_prefix(std::min(header, items.size()));
  std::string out = type == PayloadType::kHash   ? "hash"
                    : type == PayloadType::kList ? "list"
                    : type == PayloadType::kSet  ? "set"
                                                 : "zset";
  while (!items.empty() && out.size() < kShownBytes) {
    out += fmt::format(" {}", take_payload_text(items));
    if (type == PayloadType::kHash) out += fmt::format("={}", take_payload_text(items));
    if (type == PayloadType::kZset) out += fmt::format("={}", take_payload_score(items));
  }
  return items.empty() ? out : out + " ...";
}

// The arguments of a command, separated by blanks.
std::string described(std::string_view bytes) {
  ReplyParser parser;
  parser.feed(bytes);
  const auto command = parser.next();
  if (!command || !*command) return "";
  const auto args = (*command)->items();
  std::string text;
  const bool is_payload = !args.empty() && args[0].is_text("RESTORE");
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (i > 0) text += ' ';
    text += is_payload && i == 3 ? payload_shown(args[i].text()) : std::string(args[i].text());
  }
  return text;
}

void note_unit(const Unit* unit, std::uint64_t shown, std::unordered_set<std::uint64_t>& seen,
               MappingPreview& preview) {
  if (unit == nullptr) return;
  if (unit->outcome == RowOutcome::kBad) {
    preview.rows_bad += unit->rows;
    if (preview.first_problem.empty())
      preview.first_problem = fmt::format("row {}: {}", unit->first_row, unit->problem);
    return;
  }
  if (unit->outcome != RowOutcome::kEncoded) {
    preview.rows_passed_over += unit->rows;
    return;
  }
  for (const Write& write : unit->writes) {
    ++preview.keys;
    preview.key_and_value_bytes += write.bytes.size();
    if (!seen.insert(hash_bytes(write.key, 0)).second) ++preview.keys_twice;
    if (preview.samples.size() < shown)
      preview.samples.emplace_back(shown_bytes(write.key), shown_bytes(described(write.bytes)));
  }
}

std::optional<double> seconds_at(const MappingPreview& preview, double rate) {
  if (rate <= 0 || !preview.rows) return std::nullopt;
  return static_cast<double>(*preview.rows) / rate;
}

}  // namespace

std::optional<std::uint64_t> MappingPreview::memory_bytes() const {
  if (rows_sampled == 0) return rows ? std::optional<std::uint64_t>(0) : std::nullopt;
  const std::uint64_t all = rows.value_or(0);
  if (!rows && rows_sampled > 0) return std::nullopt;
  const double of_sample = static_cast<double>(key_and_value_bytes + keys * kOverheadOfKey);
  return static_cast<std::uint64_t>(of_sample / static_cast<double>(rows_sampled) *
                                    static_cast<double>(all));
}

Result<MappingPreview> preview_mapping(Reader& reader, const PreparedMapping& prepared,
                                       PreviewSize size, UnixMillis now) {
  MappingPreview preview;
  preview.name = prepared.mapping->name;
  preview.rows = prepared.shape.rows;
  Selection selection = prepared.mapping->selection;
  selection.limit = size.rows;
  HEARTH_TRY(const auto stream, reader.open(selection, Chunk{}));
  HEARTH_TRY(auto encoder, RowEncoder::bind(*prepared.mapping, stream->columns()));
  std::unordered_set<std::uint64_t> seen;
  // Up to the end, which is where a connection can be used again.
  for (;;) {
    HEARTH_TRY(const auto row, stream->next());
    if (!row) break;
    note_unit(encoder.encode(*row, ++preview.rows_sampled, now), size.shown, seen, preview);
  }
  if (preview.rows_sampled < size.rows) preview.rows = preview.rows_sampled;  // these were all
  note_unit(encoder.finish(), size.shown, seen, preview);
  return preview;
}

Result<std::vector<MappingPreview>> preview_mappings(Source& source, Job& job, PreviewSize size) {
  std::vector<MappingPreview> previews;
  HEARTH_TRY(const auto reader, source.reader());
  for (const auto& prepared : job.mappings) {
    HEARTH_TRY(auto preview, preview_mapping(*reader, prepared, size, job.clock.unix_now()));
    previews.push_back(std::move(preview));
  }
  return previews;
}

bool may_make_keys_twice(const PreparedMapping& prepared) {
  const Mapping& mapping = *prepared.mapping;
  if (mapping.selection.table.empty() || mapping.group) return false;
  return std::any_of(mapping.outputs.begin(), mapping.outputs.end(), [&](const Output& output) {
    // Rows may add fields to one hash.
    if (output.value == ValueKind::kHash && !output.replace) return false;
    const auto named = output.key.columns();
    const bool has_primary_key =
        !prepared.shape.key.empty() &&
        std::all_of(prepared.shape.key.begin(), prepared.shape.key.end(), [&](const auto& column) {
          return std::find(named.begin(), named.end(), column) != named.end();
        });
    return !has_primary_key || output.key.merges_values();
  });
}

std::string preview_text(const std::vector<MappingPreview>& previews, double rate) {
  std::string text;
  for (const auto& one : previews) {
    for (const auto& [key, command] : one.samples) text += fmt::format("{}\n  {}\n", key, command);
    text +=
        fmt::format("{}: {} rows", one.name,
                    one.rows ? "about " + grouped(*one.rows) : std::string("unknown number of"));
    text +=
        fmt::format("; of the first {}: {} keys, {} bad, {} passed over", grouped(one.rows_sampled),
                    grouped(one.keys), grouped(one.rows_bad), grouped(one.rows_passed_over));
    if (one.keys_twice > 0)
      text += fmt::format(", {} keys more than once", grouped(one.keys_twice));
    if (const auto memory = one.memory_bytes())
      text += fmt::format("; about {:.1f} MB of memory", static_cast<double>(*memory) / 1e6);
    if (const auto time = seconds_at(one, rate)) text += fmt::format(", {:.0f} s", *time);
    text += '\n';
    if (!one.first_problem.empty()) text += fmt::format("  first bad {}\n", one.first_problem);
  }
  return text;
}

std::string preview_json(const std::vector<MappingPreview>& previews, double rate) {
  nlohmann::ordered_json out = {{"result", "dry_run"},
                                {"mappings", nlohmann::ordered_json::array()}};
  for (const auto& one : previews) {
    nlohmann::ordered_json entry = {{"name", one.name},
                                    {"rows_sampled", one.rows_sampled},
                                    {"rows_bad", one.rows_bad},
                                    {"rows_passed_over", one.rows_passed_over},
                                    {"keys", one.keys},
                                    {"keys_twice", one.keys_twice},
                                    {"first_problem", one.first_problem}};
    entry["rows"] = one.rows ? nlohmann::ordered_json(*one.rows) : nlohmann::ordered_json();
    const auto memory = one.memory_bytes();
    entry["memory_bytes"] = memory ? nlohmann::ordered_json(*memory) : nlohmann::ordered_json();
    const auto time = seconds_at(one, rate);
    entry["seconds"] = time ? nlohmann::ordered_json(*time) : nlohmann::ordered_json();
    entry["samples"] = nlohmann::ordered_json::array();
    for (const auto& [key, command] : one.samples)
      entry["samples"].push_back({{"key", key}, {"command", command}});
    out["mappings"].push_back(std::move(entry));
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace hearth::warm
