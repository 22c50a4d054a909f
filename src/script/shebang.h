// The first line of a script or library: "#!lua name=mylib flags=no-writes,allow-oom".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "src/command/script_control.h"
#include "src/command/script_flags.h"

namespace hearth::script {

struct Shebang {
  ScriptFlags flags = script_flag::kUnmarked;
  std::size_t length =
      0;  // bytes before the end of the line, which stays so that lines count right
};
// Of a script: flags alone. A script without such a line is fine.
[[nodiscard]] Result<Shebang, ReplyError> read_script_shebang(std::string_view body);

struct LibraryHead {
  std::string name;
  std::size_t length = 0;
};
// Of a library: the engine and the name, both needed. The engine is checked.
[[nodiscard]] Result<LibraryHead, ReplyError> read_library_shebang(std::string_view code);

}  // namespace hearth::script
