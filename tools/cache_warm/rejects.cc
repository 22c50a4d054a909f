#include "tools/cache_warm/rejects.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "src/base/system_text.h"
#include "tools/warm_mapping/json.h"

namespace hearth::warm {
namespace {

bool is_utf8(std::string_view bytes) {
  Buffer probe;
  return append_json_string(probe, bytes);
}

// Any bytes as text that a terminal and a JSON parser can take.
std::string printable(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", byte);
    }
  }
  return out;
}

std::string json_text(std::string_view bytes) {
  Buffer out;
  return append_json_string(out, printable(bytes)) ? std::string(out.view()) : "\"\"";
}

}  // namespace

std::string reject_line(const Reject& reject) {
  std::string line =
      fmt::format("{{\"mapping\":{},\"row\":{},\"key\":{}", json_text(reject.mapping), reject.row,
                  reject.key.empty() ? "null" : json_text(reject.key));
  if (reject.primary_key != nullptr && !reject.primary_key->empty() &&
      std::all_of(reject.primary_key->begin(), reject.primary_key->end(), is_utf8)) {
    std::string values;
    for (const auto& value : *reject.primary_key)
      values += (values.empty() ? "" : ",") + json_text(value);
    line += fmt::format(",\"primary_key\":[{}]", values);
  }
  return line + fmt::format(",\"reason\":{}}}\n", json_text(reject.reason));
}

Result<RejectedRows> read_rejects(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorCode::kIo, fmt::format("{}: cannot be read", path));
  RejectedRows rows;
  std::string text;
  for (std::size_t number = 1; std::getline(in, text); ++number) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    const auto mapping = line.is_object() ? line.find("mapping") : line.end();
    if (!line.is_object() || mapping == line.end() || !mapping->is_string())
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}:{}: no line of a reject file", path, number));
    const auto key = line.find("primary_key");
    if (key == line.end() || !key->is_array()) {
      ++rows.without_key;
      continue;
    }
    std::vector<std::string> values;
    for (const auto& value : *key)
      values.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    rows.keys[mapping->get<std::string>()].push_back(std::move(values));
  }
  return rows;
}

Result<void> RejectLog::open() {
  if (policy_.reject_file.empty()) return {};
  file_.reset(std::fopen(policy_.reject_file.c_str(), "w"));
  if (!file_) {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", policy_.reject_file, system_text(errno)));
  }
  return {};
}

void RejectLog::add(const Reject& reject) {
  const std::scoped_lock lock(mutex_);
  const std::uint64_t count = count_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (file_) std::fputs(reject_line(reject).c_str(), file_.get());
  if (count > policy_.printed) return;
  print_(fmt::format("{}: row {}, key {}: {}", reject.mapping, reject.row,
                     reject.key.empty() ? "none" : fmt::format("'{}'", printable(reject.key)),
                     printable(reject.reason)));
  if (count == policy_.printed) {
    print_(fmt::format("more bad rows are counted{}",
                       file_ ? fmt::format(" and written to {}", policy_.reject_file)
                             : std::string(" but not printed")));
  }
}

Result<void> RejectLog::close() {
  if (!file_) return {};
  const bool failed = std::ferror(file_.get()) != 0;
  if (std::fclose(file_.release()) != 0 || failed) {
    return fail(ErrorCode::kIo,
                fmt::format("{}: not all bad rows could be written", policy_.reject_file));
  }
  return {};
}

}  // namespace hearth::warm
