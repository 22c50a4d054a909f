// Configuration files and the command line.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/config/registry.h"

namespace hearth::config {

// Where the text of files comes from; the composition root implements it over the disk.
class ConfigFiles {
 public:
  virtual ~ConfigFiles() = default;
  // The whole text; "-" is standard input. The error holds the system's words.
  [[nodiscard]] virtual Result<std::string> read(const std::string& path) = 0;
  // Paths that match a pattern with * ? [ ], sorted. Empty if there are none.
  [[nodiscard]] virtual std::vector<std::string> matching(const std::string& pattern) = 0;
};

// The wishes of the command line.
struct CommandLine {
  std::string config_file;  // as given; empty if there is none
  bool from_stdin = false;  // "-": standard input is read behind the file
  std::string directives;   // the options, as lines of a configuration file
};

// Understands: server [file] [-] [--name value ... | name value ... | "--name value"].
//   arguments  without the program's name
// An argument that starts with "--" begins a directive, except directly behind an option that has
// no value yet (then it is that value; `--save` is the exception to the exception, since its value
// may be absent).
[[nodiscard]] CommandLine parse_command_line(std::span<const std::string> arguments);

// A mistake in the configuration.
struct ConfigError {
  std::string file;  // empty for the main text
  int line = 0;      // 1-based; 0 if the mistake is of no line
  std::string text;  // the offending line
  std::string reason;
  bool on_command_line = false;
};

// Applies one text, line by line, and the files it includes (at most 16 deep).
[[nodiscard]] Result<void, ConfigError> load_text(Registry& registry, std::string_view text,
                                                  ConfigFiles& files);

// Reads the file, standard input and options of a command line, in this order, and checks what
// only the whole can tell. Lines count through file and standard input; the mistake of an option
// has none.
[[nodiscard]] Result<void, ConfigError> load(Registry& registry, const CommandLine& command_line,
                                             ConfigFiles& files);

// The text for standard error when the server cannot start.
//   program  name and version
[[nodiscard]] std::string fatal_text(const ConfigError& error, std::string_view program);

}  // namespace hearth::config
