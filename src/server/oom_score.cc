#include "src/server/oom_score.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "src/base/log.h"
#include "src/base/system_text.h"

namespace hearth {
namespace {

constexpr const char* kPath = "/proc/self/oom_score_adj";
constexpr int kScoreMost = 1000;

std::optional<int> read_score() {
  std::FILE* file = std::fopen(kPath, "r");
  if (file == nullptr) return std::nullopt;
  int score = 0;
  const bool read = std::fscanf(file, "%d", &score) == 1;
  std::fclose(file);
  return read ? std::optional(score) : std::nullopt;
}

bool write_score(int score) {
  std::FILE* file = std::fopen(kPath, "w");
  if (file == nullptr) return false;
  // The kernel refuses when the bytes reach it, which is when the file is closed.
  const bool written = std::fprintf(file, "%d\n", score) > 0;
  return std::fclose(file) == 0 && written;
}

}  // namespace

Result<void, std::string> OomScore::apply(const config::Settings& settings, Role role) {
  constexpr const char* kFailed = "Failed to set current oom_score_adj. Check server logs.";
  int score = 0;
  if (settings.oom_score_adj == config::OomScoreAdj::kNo) {
    if (!found_) return {};
    score = *found_;
    found_.reset();
  } else {
    if (!found_) found_ = read_score();
    if (!found_) {
      log::warning("Unable to read {}: {}", kPath, system_text(errno));
      return tl::unexpected<std::string>(kFailed);
    }
    score = settings.oom_score_adj_values[static_cast<std::size_t>(role)];
    if (settings.oom_score_adj != config::OomScoreAdj::kAbsolute) score += *found_;
    score = std::clamp(score, -kScoreMost, kScoreMost);
  }
  if (write_score(score)) return {};
  log::warning("Unable to write {} to {}: {}", score, kPath, system_text(errno));
  return tl::unexpected<std::string>(kFailed);
}

}  // namespace hearth
