#include "src/server/hot_list_file.h"

#include "src/base/log.h"

namespace hearth {
namespace {

constexpr seconds kBetweenSaves{300};
// At the end, so many keys are looked at for those that are used most.
constexpr std::uint64_t kKeysAtTheEnd = 1'000'000;

}  // namespace

const std::string& HotListFile::path() const {
  return parts_.engine->settings().warm_hot_keys_filename;
}

void HotListFile::load() {
  saved_ = parts_.engine->mono_now();
  HotList& list = parts_.engine->hot_list();
  if (!list.is_on()) return;
  if (!parts_.disk->exists(path())) return;
  const auto bytes = io::read_file(*parts_.disk, path(), HotList::kFileBytesMost);
  const auto restored =
      bytes ? list.restore(*bytes) : Result<void>(unexpected<Error>(bytes.error()));
  if (!restored)
    log::warning("{}: {}; it is left alone until it is written anew", path(),
                 restored.error().context);
  else
    log::notice("{}: {} keys were used most, and can be loaded first", path(), list.size());
}

void HotListFile::tick() {
  HotList& list = parts_.engine->hot_list();
  const MonoTime now = parts_.engine->mono_now();
  if (!list.is_on() || is_saving_ || now - saved_ < kBetweenSaves) return;
  saved_ = now;
  if (list.size() == 0) return;
  is_saving_ = true;
  parts_.disk_thread->run(
      [disk = parts_.disk, path = path(), bytes = list.encode()] {
        if (const auto written = io::write_file_atomically(*disk, path, bytes); !written)
          log::warning("The list of hot keys can't be saved: {}", written.error().context);
      },
      [this] { is_saving_ = false; }, aof::DiskThread::Wake::kNo);
}

void HotListFile::save() {
  HotList& list = parts_.engine->hot_list();
  if (!list.is_on()) return;
  list.walk_to_the_end(kKeysAtTheEnd);
  if (list.size() == 0) return;
  if (const auto written = io::write_file_atomically(*parts_.disk, path(), list.encode()); !written)
    log::warning("The list of hot keys can't be saved: {}", written.error().context);
}

}  // namespace hearth
