// Mappings as they stand in TOML.
#pragma once

#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/mapping.h"
#include "tools/warm_mapping/toml_table.h"

namespace hearth::warm {

// Parses the text of a file. `file` is its name for messages. Errors: kInvalid, "file:line: what".
Result<toml::table> parse_toml(std::string_view text, std::string_view file);

// Reads all [[mapping]] of a file. Errors: kInvalid, "file:line: key: what is wrong"; unknown keys
// are wrong too, and a file without mappings.
Result<std::vector<Mapping>> read_mappings(TableReader& top, std::string_view file);

}  // namespace hearth::warm
