// The words of the operating system for an error number.
#pragma once

#include <string>
#include <system_error>

namespace hearth {

// Of errno, on any thread, which is more than std::strerror promises.
[[nodiscard]] inline std::string system_text(int error) {
  return std::generic_category().message(error);
}

}  // namespace hearth
