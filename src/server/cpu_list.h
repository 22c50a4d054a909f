// The cores that a thread may run on: "0,2-5,8-15:2" is 0, 2 to 5, and every second one from 8
// to 15.
#pragma once

#include <pthread.h>
#include <sched.h>

#include <optional>
#include <string_view>

namespace hearth {

// Nothing where the text is no such list, or names no core below CPU_SETSIZE (1024).
[[nodiscard]] std::optional<cpu_set_t> parse_cpu_list(std::string_view text);

// Keeps `thread` to the cores of `list`; an empty list changes nothing. What goes wrong is logged:
// a server that runs elsewhere still serves. `parameter` is named there.
void pin_thread(pthread_t thread, std::string_view parameter, std::string_view list);

}  // namespace hearth
