// The name of a value's internal form, as OBJECT ENCODING reports it.
#pragma once

#include <string_view>

#include "src/store/entry.h"

namespace hearth {

[[nodiscard]] std::string_view encoding_name(const Entry& entry) noexcept;

}  // namespace hearth
