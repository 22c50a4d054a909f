#include "src/server/cpu_list.h"

#include "src/base/log.h"
#include "src/base/parse_number.h"
#include "src/base/system_text.h"

namespace hearth {
namespace {

// Takes what stands before `mark`, or all, off the front of `text`.
std::string_view cut(std::string_view& text, char mark) {
  const std::size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return head;
}

std::optional<std::int64_t> core(std::string_view text) {
  const auto number = parse_int64(text);
  return number && *number >= 0 && *number < CPU_SETSIZE ? number : std::nullopt;
}

}  // namespace

std::optional<cpu_set_t> parse_cpu_list(std::string_view text) {
  cpu_set_t set;
  CPU_ZERO(&set);
  // A number stands behind every mark.
  const auto complete = [](std::string_view part) {
    return !part.empty() && part.back() >= '0' && part.back() <= '9';
  };
  if (!complete(text)) return std::nullopt;
  while (!text.empty()) {
    std::string_view step_text = cut(text, ',');
    if (!complete(step_text)) return std::nullopt;
    std::string_view last_text = cut(step_text, ':');
    if (!complete(last_text)) return std::nullopt;
    const auto first = core(cut(last_text, '-'));
    const auto last = last_text.empty() ? first : core(last_text);
    const auto step = step_text.empty() ? std::optional<std::int64_t>(1) : core(step_text);
    if (!first || !last || !step || *last < *first || *step == 0) return std::nullopt;
    for (std::int64_t i = *first; i <= *last; i += *step)
      CPU_SET(static_cast<std::size_t>(i), &set);
  }
  if (CPU_COUNT(&set) == 0) return std::nullopt;
  return set;
}

void pin_thread(pthread_t thread, std::string_view parameter, std::string_view list) {
  if (list.empty()) return;
  const auto set = parse_cpu_list(list);
  if (!set) {
    log::warning("{}: '{}' is no list of cores", parameter, list);
    return;
  }
  if (const int error = pthread_setaffinity_np(thread, sizeof *set, &*set); error != 0)
    log::warning("{}: can't keep to the cores {}: {}", parameter, list, system_text(error));
}

}  // namespace hearth
