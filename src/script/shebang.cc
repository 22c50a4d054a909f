#include "src/script/shebang.h"

#include <vector>

#include "src/base/parse_number.h"
#include "src/proto/request_parser.h"
#include "src/script/vm.h"

namespace hearth::script {
namespace {

constexpr std::string_view kMark = "#!";

// Adds what "flags=" lists; an error text, or nothing.
std::string add_flags(std::string_view list, ScriptFlags& flags) {
  for (bool more = !list.empty(); more;) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) list.remove_prefix(comma + 1);
    ScriptFlags found = 0;
    for (const script_flag::Name& name : script_flag::kNames) {
      if (name.text == word) found = name.bit;
    }
    if (found == 0) return "ERR Unexpected flag in script shebang: " + std::string(word);
    flags |= found;
  }
  return {};
}

}  // namespace

Result<Shebang, ReplyError> read_script_shebang(std::string_view body) {
  constexpr std::string_view kFlags = "flags=";
  Shebang shebang;
  if (!body.starts_with(kMark)) return shebang;
  const std::size_t end = body.find('\n');
  if (end == std::string_view::npos) return refuse("ERR Invalid script shebang");
  shebang.length = end;
  std::vector<std::string> words;
  if (!split_quoted(body.substr(0, end), words) || words.empty())
    return refuse("ERR Invalid engine in script shebang");
  if (words[0] != "#!lua") return refuse("ERR Unexpected engine in script shebang: " + words[0]);
  shebang.flags = 0;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!words[i].starts_with(kFlags)) return refuse("ERR Unknown lua shebang option: " + words[i]);
    if (std::string error =
            add_flags(std::string_view(words[i]).substr(kFlags.size()), shebang.flags);
        !error.empty()) {
      return refuse(std::move(error));
    }
  }
  return shebang;
}

Result<LibraryHead, ReplyError> read_library_shebang(std::string_view code) {
  constexpr std::string_view kName = "name=";
  if (!code.starts_with(kMark)) return refuse("ERR Missing library metadata");
  const std::size_t end = code.find('\n');
  std::vector<std::string> words;
  if (end == std::string_view::npos || !split_quoted(code.substr(0, end), words) || words.empty())
    return refuse("ERR Invalid library metadata");
  std::optional<std::string> name;
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (!equals_ignore_case(std::string_view(words[i]).substr(0, kName.size()), kName))
      return refuse("ERR Invalid metadata value given: " + words[i]);
    if (name) return refuse("ERR Invalid metadata value, name argument was given multiple times");
    name = words[i].substr(kName.size());
  }
  if (!name) return refuse("ERR Library name was not given");
  if (!is_good_name(*name)) return refuse("ERR " + std::string(kBadName));
  const std::string engine = words[0].substr(kMark.size());
  if (!equals_ignore_case(engine, "lua")) return refuse("ERR Engine '" + engine + "' not found");
  return LibraryHead{std::move(*name), end};
}

}  // namespace hearth::script
