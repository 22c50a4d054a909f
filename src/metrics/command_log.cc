#include "src/metrics/command_log.h"

#include <algorithm>

namespace hearth {
namespace {
constexpr std::size_t kWordsMost = 32;
constexpr std::size_t kWordBytesMost = 128;
}  // namespace

void CommandLog::add(UnixMillis now, std::int64_t value, std::span<const std::string_view> argv,
                     std::string_view address, std::string_view name, std::size_t max_len) {
  LoggedCommand entry{next_id_++, now.unix_seconds(),   value,
                      {},         std::string(address), std::string(name)};
  const std::size_t words = std::min(argv.size(), kWordsMost);
  for (std::size_t i = 0; i < words; ++i) {
    if (i + 1 == kWordsMost && argv.size() > kWordsMost) {
      entry.argv.push_back("... (" + std::to_string(argv.size() - kWordsMost + 1) +
                           " more arguments)");
    } else if (argv[i].size() > kWordBytesMost) {
      entry.argv.push_back(std::string(argv[i].substr(0, kWordBytesMost)) + "... (" +
                           std::to_string(argv[i].size() - kWordBytesMost) + " more bytes)");
    } else {
      entry.argv.emplace_back(argv[i]);
    }
  }
  entries_.push_front(std::move(entry));
  trim(max_len);
}

void CommandLog::trim(std::size_t max_len) {
  if (entries_.size() > max_len) entries_.resize(max_len);
}

}  // namespace hearth
