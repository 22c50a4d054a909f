#include "tools/cache_warm/rejects.h"

#include <fmt/core.h>

#include <cerrno>
#include <system_error>

#include "tools/cache_warm/json.h"

namespace hearth::warm {
namespace {

// Any bytes as text that a terminal and a JSON parser can take.
std::string printable(std::string_view bytes) {
  Buffer probe;
  if (append_json_string(probe, bytes)) return std::string(bytes);
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

}  // namespace

std::string reject_line(const Reject& reject) {
  Buffer line;
  bool good = true;
  line.append("{\"mapping\":");
  good &= append_json_string(line, printable(reject.mapping));
  line.append(fmt::format(",\"row\":{},\"key\":", reject.row));
  if (reject.key.empty()) {
    line.append("null");
  } else {
    good &= append_json_string(line, printable(reject.key));
  }
  line.append(",\"reason\":");
  good &= append_json_string(line, printable(reject.reason));
  line.append("}\n");
  return good ? std::string(line.view()) : std::string();
}

Result<RejectLog> RejectLog::open(const ErrorPolicy& policy) {
  RejectLog log(policy);
  if (policy.reject_file.empty()) return log;
  log.file_.reset(std::fopen(policy.reject_file.c_str(), "w"));
  if (!log.file_) {
    return fail(ErrorCode::kIo,
                fmt::format("{}: {}", policy.reject_file, std::generic_category().message(errno)));
  }
  return log;
}

void RejectLog::add(const Reject& reject) {
  ++count_;
  if (file_) std::fputs(reject_line(reject).c_str(), file_.get());
  if (count_ > policy_.printed) return;
  fmt::print(stderr, "{}: row {}, key {}: {}\n", reject.mapping, reject.row,
             reject.key.empty() ? "none" : fmt::format("'{}'", printable(reject.key)),
             printable(reject.reason));
  if (count_ == policy_.printed) {
    fmt::print(stderr, "more bad rows are counted{}\n",
               file_ ? fmt::format(" and written to {}", policy_.reject_file) : " but not printed");
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
