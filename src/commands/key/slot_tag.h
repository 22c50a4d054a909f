// A hash tag for every slot: the first of the texts of one, two and three letters and digits that
// stands in it ("06S" for 0, "Qi" for 1).
#pragma once

#include <string_view>

#include "cluster/model/slot.h"

namespace hearth::commands {

// Some milliseconds for the first call of the process, O(1) after that.
[[nodiscard]] std::string_view tag_of_slot(Slot slot);

}  // namespace hearth::commands
