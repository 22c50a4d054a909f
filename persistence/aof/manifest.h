// The manifest of the append-only files: which file holds the base, which the increments.
//
//   file <name> seq <number> type <b|h|i>      one line a file, names quoted when they need it
//
// Loading is the base, then the increments in their order. A history file is one that is no longer
// needed and may be there or not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/io/file_system.h"
#include "src/base/result.h"

namespace hearth::aof {

struct LogFile {
  std::string name;
  std::int64_t sequence = 0;
};

struct Manifest {
  std::optional<LogFile> base;
  std::vector<LogFile> increments;  // ascending
  std::vector<LogFile> history;
  std::int64_t base_sequence = 0;       // of the last base there was
  std::int64_t increment_sequence = 0;  // of the last increment

  [[nodiscard]] bool empty() const { return !base && increments.empty(); }
};

// Errors: kCorrupt, with the line.
[[nodiscard]] Result<Manifest> parse_manifest(std::string_view text);
[[nodiscard]] std::string manifest_text(const Manifest& manifest);

// The files of one log: where they are, and how they change so that a crash at any moment leaves a
// manifest whose files hold all that was acknowledged.
class LogFiles {
 public:
  // name: what all file names begin with; dir: where they are, below the working directory.
  LogFiles(io::FileSystem& fs, std::string dir, std::string name)
      : fs_(fs), dir_(std::move(dir)), name_(std::move(name)) {}

  // Reads the manifest. A single file of an older kind, in the working directory, becomes the base.
  // Files that are history are removed. An absent manifest is an empty one.
  [[nodiscard]] Result<void> open();
  [[nodiscard]] const Manifest& manifest() const { return manifest_; }
  [[nodiscard]] std::string path_of(const LogFile& file) const {
    return io::joined(dir_, file.name);
  }
  [[nodiscard]] std::string manifest_path() const { return io::joined(dir_, name_ + ".manifest"); }
  // A place for what is written before the first base is complete.
  [[nodiscard]] std::string temp_increment_path() const {
    return io::joined(dir_, "temp-" + name_ + ".incr");
  }
  // Makes the folder, if it is not there, so that it survives a crash.
  [[nodiscard]] Result<void> make_dir();

  // A new increment behind the others. It exists, empty and open, before the manifest names it: a
  // log that can't be opened never takes the place of the one in use.
  struct OpenIncrement {
    LogFile name;
    std::unique_ptr<io::File> file;
  };
  [[nodiscard]] Result<OpenIncrement> add_increment();

  enum class BaseForm : std::uint8_t { kSnapshot, kCommands };
  struct Switch {
    std::string base_temp_path;  // complete and synced
    BaseForm form = BaseForm::kSnapshot;
    // Increments that were there when the base was begun are in it. The last one stays if
    // `keep_last`.
    bool keep_last = true;
    bool take_temp_increment = false;  // temp_increment_path() becomes the first increment
  };
  // Makes a rewritten base the base.
  [[nodiscard]] Result<void> switch_base(const Switch& to);
  // Removes history files; `keep`: they stay, and stay in the manifest. Returns the names of those
  // that are gone.
  std::vector<std::string> remove_history(bool keep);
  // Removes files that a killed process had not completed. Returns their names.
  [[nodiscard]] std::vector<std::string> remove_leftovers();

 private:
  [[nodiscard]] Result<void> store(const Manifest& manifest);
  [[nodiscard]] Result<void> adopt_old_file();
  [[nodiscard]] LogFile next_base(const Manifest& m, BaseForm form) const;
  [[nodiscard]] LogFile next_increment(const Manifest& m) const;

  io::FileSystem& fs_;
  std::string dir_;
  std::string name_;
  Manifest manifest_;
};

}  // namespace hearth::aof
