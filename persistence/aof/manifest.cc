#include "persistence/aof/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/log.h"
#include "src/base/parse_number.h"
#include "src/base/quote.h"
#include "src/proto/request_parser.h"

namespace hearth::aof {
namespace {

constexpr std::size_t kLineMost = 1024;
// There must be room for those that follow.
constexpr std::int64_t kSequenceMost = INT64_MAX / 2;
constexpr std::uint64_t kManifestMost = 16 * 1024 * 1024;

tl::unexpected<Error> bad(std::string_view what, std::size_t line) {
  return fail(ErrorCode::kCorrupt, fmt::format("{} (line {})", what, line));
}

bool needs_quotes(std::string_view name) {
  return name.empty() || std::any_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\'' || c == '\\' ||
                  static_cast<unsigned char>(c) >= 0x7f;
         });
}

void append_line(const LogFile& file, char type, std::string& out) {
  out += fmt::format("file {} seq {} type {}\n",
                     needs_quotes(file.name) ? quoted(file.name) : file.name, file.sequence, type);
}

struct Line {
  LogFile file;
  char type = 0;
};

// Pairs of a key and a value; unknown keys are for later versions.
Result<Line> parse_line(std::string_view text, std::size_t number) {
  constexpr std::string_view kFormat = "Invalid AOF manifest file format";
  std::vector<std::string> words;
  if (!split_quoted(text, words) || words.size() < 6 || words.size() % 2 != 0)
    return bad(kFormat, number);
  Line line;
  for (std::size_t i = 0; i < words.size(); i += 2) {
    if (equals_ignore_case(words[i], "file")) {
      if (words[i + 1].find('/') != std::string::npos)
        return bad("File can't be a path, just a filename", number);
      line.file.name = words[i + 1];
    } else if (equals_ignore_case(words[i], "seq")) {
      line.file.sequence = parse_int64(words[i + 1]).value_or(0);
    } else if (equals_ignore_case(words[i], "type")) {
      line.type = words[i + 1].size() == 1 ? words[i + 1][0] : '?';
    }
  }
  if (line.file.name.empty() || line.file.sequence <= 0 || line.file.sequence > kSequenceMost ||
      line.type == 0)
    return bad(kFormat, number);
  return line;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
  if (text.empty()) return fail(ErrorCode::kCorrupt, "Found an empty AOF manifest");
  Manifest manifest;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view raw = text.substr(0, end);
    if (raw.size() >= kLineMost) return bad("The AOF manifest file contains too long line", number);
    if (end == std::string_view::npos)
      return bad("The AOF manifest file contains an incomplete line", number);
    text.remove_prefix(end + 1);
    if (raw.starts_with("#")) continue;
    HEARTH_TRY(Line line, parse_line(raw, number));
    switch (line.type) {
      case 'b':
        if (manifest.base) return bad("Found duplicate base file information", number);
        manifest.base_sequence = line.file.sequence;
        manifest.base = std::move(line.file);
        break;
      case 'h': manifest.history.push_back(std::move(line.file)); break;
      case 'i':
        if (line.file.sequence <= manifest.increment_sequence)
          return bad("Found a non-monotonic sequence number", number);
        manifest.increment_sequence = line.file.sequence;
        manifest.increments.push_back(std::move(line.file));
        break;
      default: return bad("Unknown AOF file type", number);
    }
  }
  return manifest;
}

std::string manifest_text(const Manifest& manifest) {
  std::string text;
  if (manifest.base) append_line(*manifest.base, 'b', text);
  for (const LogFile& file : manifest.history) append_line(file, 'h', text);
  for (const LogFile& file : manifest.increments) append_line(file, 'i', text);
  return text;
}

Result<void> LogFiles::open() {
  manifest_ = {};
  if (fs_.exists(manifest_path())) {
    HEARTH_TRY(const std::string text, io::read_file(fs_, manifest_path(), kManifestMost));
    auto manifest = parse_manifest(text);
    if (!manifest)
      return fail(ErrorCode::kCorrupt,
                  fmt::format("{}: {}", manifest_path(), manifest.error().context));
    manifest_ = std::move(*manifest);
  }
  HEARTH_TRY_VOID(adopt_old_file());
  return {};
}

// Before there was a manifest, the log was one file in the working directory.
Result<void> LogFiles::adopt_old_file() {
  if (!fs_.exists(name_)) return {};
  const LogFile old{name_, 1};
  const bool named =
      manifest_.base && manifest_.base->name == name_ && manifest_.increments.empty();
  if (!manifest_.empty() && !named) return {};
  if (fs_.exists(path_of(old))) return {};
  HEARTH_TRY_VOID(fs_.make_dir(dir_));
  if (!named) {
    // The manifest comes first: a crash before the rename is found as `named` above.
    Manifest next = manifest_;
    next.base = old;
    next.base_sequence = 1;
    HEARTH_TRY_VOID(store(next));
  }
  HEARTH_TRY_VOID(fs_.rename(name_, path_of(old)));
  log::notice("Successfully migrated an old-style AOF configuration");
  return {};
}

Result<void> LogFiles::store(const Manifest& manifest) {
  HEARTH_TRY_VOID(io::write_file_atomically(fs_, manifest_path(), manifest_text(manifest)));
  manifest_ = manifest;
  return {};
}

LogFile LogFiles::next_base(const Manifest& m, BaseForm form) const {
  const std::int64_t sequence = m.base_sequence + 1;
  return {
      fmt::format("{}.{}.base.{}", name_, sequence, form == BaseForm::kSnapshot ? "rdb" : "aof"),
      sequence};
}

LogFile LogFiles::next_increment(const Manifest& m) const {
  const std::int64_t sequence = m.increment_sequence + 1;
  return {fmt::format("{}.{}.incr.aof", name_, sequence), sequence};
}

Result<LogFiles::OpenIncrement> LogFiles::add_increment() {
  Manifest next = manifest_;
  const LogFile file = next_increment(next);
  HEARTH_TRY_VOID(fs_.make_dir(dir_));
  HEARTH_TRY(const std::unique_ptr<io::File> made, fs_.open(path_of(file), io::OpenMode::kCreate));
  HEARTH_TRY_VOID(made->sync());
  HEARTH_TRY(std::unique_ptr<io::File> opened, fs_.open(path_of(file), io::OpenMode::kAppend));
  next.increment_sequence = file.sequence;
  next.increments.push_back(file);
  HEARTH_TRY_VOID(store(next));
  return OpenIncrement{file, std::move(opened)};
}

Result<void> LogFiles::switch_base(const Switch& to) {
  Manifest next = manifest_;
  HEARTH_TRY_VOID(fs_.make_dir(dir_));
  const LogFile base = next_base(next, to.form);
  HEARTH_TRY_VOID(fs_.rename(to.base_temp_path, path_of(base)));
  if (next.base) next.history.push_back(*next.base);
  next.base = base;
  next.base_sequence = base.sequence;
  const std::size_t kept =
      to.keep_last && !to.take_temp_increment && !next.increments.empty() ? 1 : 0;
  const auto first_kept = next.increments.end() - static_cast<std::ptrdiff_t>(kept);
  next.history.insert(next.history.end(), next.increments.begin(), first_kept);
  next.increments.erase(next.increments.begin(), first_kept);
  if (to.take_temp_increment) {
    const LogFile increment = next_increment(next);
    HEARTH_TRY_VOID(fs_.rename(temp_increment_path(), path_of(increment)));
    next.increment_sequence = increment.sequence;
    next.increments.push_back(increment);
  }
  if (next.increments.empty()) next.increment_sequence = 0;
  return store(next);
}

Result<void> LogFiles::make_dir() {
  if (fs_.exists(dir_)) return fs_.make_dir(dir_);  // an error if it is a file
  HEARTH_TRY_VOID(fs_.make_dir(dir_));
  return fs_.sync_dir(io::dir_of(dir_));
}

std::vector<std::string> LogFiles::remove_history(bool keep) {
  std::vector<std::string> removed;
  if (manifest_.history.empty() || keep) return removed;
  Manifest next = manifest_;
  next.history.clear();
  const std::vector<LogFile> gone = manifest_.history;
  if (!store(next)) return removed;
  for (const LogFile& file : gone) {
    if (fs_.remove(path_of(file))) removed.push_back(file.name);
  }
  return removed;
}

std::vector<std::string> LogFiles::remove_leftovers() {
  std::vector<std::string> removed;
  const auto names = fs_.list(dir_);
  if (!names) return removed;
  const auto is_ours = [this](const std::string& name) {
    return name == "temp-" + name_ + ".incr" || name == name_ + ".manifest.tmp";
  };
  for (const std::string& name : *names) {
    if (is_ours(name) && fs_.remove(io::joined(dir_, name))) removed.push_back(name);
  }
  return removed;
}

}  // namespace hearth::aof
