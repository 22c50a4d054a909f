#include "tools/cache_warm/checkpoint.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "src/base/system_text.h"

namespace hearth::warm {
namespace {

// The text that a line has under a name, if it is a text.
std::string text_of(const nlohmann::json& line, const char* name) {
  const auto found = line.find(name);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string line_text(const nlohmann::json& line) {
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<std::unique_ptr<Checkpoint>> Checkpoint::open(const std::string& path,
                                                     std::string_view fingerprint, bool resume) {
  auto checkpoint = std::make_unique<Checkpoint>();
  checkpoint->path_ = path;
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  const std::string known = text.str();
  const auto failed = [&] {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", path, system_text(errno)));
  };
  if (resume && !known.empty()) {
    HEARTH_TRY_VOID(checkpoint->read(known, fingerprint));
    // The cut-off rest is taken away, so that the next line begins a line.
    const auto whole = known.rfind('\n') == std::string::npos ? 0 : known.rfind('\n') + 1;
    if (::truncate(path.c_str(), static_cast<off_t>(whole)) != 0) return failed();
  }
  const bool begins = !resume || known.empty();
  checkpoint->file_.reset(std::fopen(path.c_str(), begins ? "w" : "a"));
  if (!checkpoint->file_) return failed();
  if (begins) {
    HEARTH_TRY_VOID(checkpoint->write_line(line_text({{"plan", std::string(fingerprint)}})));
  }
  return checkpoint;
}

Result<void> Checkpoint::read(std::string_view text, std::string_view fingerprint) {
  std::size_t number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) break;  // cut off
    const auto line = nlohmann::json::parse(text.substr(0, end), nullptr, false);
    text.remove_prefix(end + 1);
    ++number;
    const auto wrong = [&](std::string_view what) {
      return fail(ErrorCode::kInvalid, fmt::format("{}:{}: {}", path_, number, what));
    };
    if (!line.is_object()) return wrong("this is no checkpoint");
    if (number == 1) {
      if (text_of(line, "plan") != fingerprint) {
        return wrong("the checkpoint is of another mapping file; begin without --resume");
      }
      continue;
    }
    Progress& progress = mappings_[text_of(line, "mapping")];
    if (const auto chunks = line.find("chunks"); chunks != line.end() && chunks->is_array()) {
      progress.chunks.emplace();
      for (const auto& id : *chunks) {
        auto chunk = Chunk::parse(id.is_string() ? id.get<std::string>() : "");
        if (!chunk) return wrong(chunk.error().context);
        progress.chunks->push_back(*std::move(chunk));
      }
      continue;
    }
    if (!progress.done.insert(text_of(line, "done")).second) continue;
    const auto rows = line.find("rows");
    if (rows != line.end() && rows->is_number_unsigned())
      progress.rows += rows->get<std::uint64_t>();
  }
  return {};
}

std::optional<std::vector<Chunk>> Checkpoint::chunks_of(const std::string& mapping) const {
  const auto found = mappings_.find(mapping);
  return found == mappings_.end() ? std::nullopt : found->second.chunks;
}

bool Checkpoint::is_done(const std::string& mapping, const Chunk& chunk) const {
  const auto found = mappings_.find(mapping);
  return found != mappings_.end() && found->second.done.contains(chunk.id());
}

std::uint64_t Checkpoint::rows_done(const std::string& mapping) const {
  const auto found = mappings_.find(mapping);
  return found == mappings_.end() ? 0 : found->second.rows;
}

Result<void> Checkpoint::write_chunks(const std::string& mapping,
                                      const std::vector<Chunk>& chunks) {
  nlohmann::json ids = nlohmann::json::array();
  for (const auto& chunk : chunks) ids.push_back(chunk.id());
  return write_line(line_text({{"mapping", mapping}, {"chunks", ids}}));
}

Result<void> Checkpoint::write_done(const std::string& mapping, const Chunk& chunk,
                                    std::uint64_t rows) {
  return write_line(line_text({{"mapping", mapping}, {"done", chunk.id()}, {"rows", rows}}));
}

Result<void> Checkpoint::write_line(const std::string& line) {
  const std::scoped_lock lock(mutex_);
  std::FILE* file = file_.get();
  if (std::fputs(line.c_str(), file) < 0 || std::fflush(file) != 0 ||
      ::fdatasync(::fileno(file)) != 0) {
    return fail(ErrorCode::kIo, fmt::format("{}: {}", path_, system_text(errno)));
  }
  return {};
}

}  // namespace hearth::warm
