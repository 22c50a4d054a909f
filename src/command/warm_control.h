// WarmControl: warm epochs, which keep a loader's rows from overwriting what applications did since
// its snapshot. Implemented by the engine.
//
// A loader says WARM BEGIN on every primary and takes its snapshot of the database after that. Its
// writes name the epoch (SET ... WARM id) and are refused for every key that anybody else has
// named in a write since the epoch began. An application commits to the database first and then
// removes the key from the cache: if its commit stands in the snapshot, the row is current; if not,
// its removal comes after the epoch's beginning, and either finds the loader's row or forbids it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/ids.h"
#include "src/base/time.h"

namespace hearth {

struct WarmStatus {
  std::string id;
  seconds age{};
  seconds life{};                // it ends by itself when it is not used for so long
  std::uint64_t stored = 0;      // writes that were made
  std::uint64_t refused = 0;     // writes to keys that were touched
  std::uint64_t touched = 0;     // keys in writes of others, each as often as it was named
  std::uint64_t slots_lost = 0;  // slots whose history is not known any more; cluster mode
  bool is_void = false;          // a whole database was changed: every write is refused as unknown
};

enum class WarmAnswer : std::uint8_t {
  kUnknownEpoch,  // there is no such epoch, or it can't tell about this key's slot
  kTouched,
  kMayWrite,
};

class WarmControl {
 public:
  static constexpr std::size_t kEpochsMost = 8;
  static constexpr std::size_t kIdBytesMost = 64;
  static constexpr seconds kLife{3600};

  virtual ~WarmControl() = default;
  enum class Begun : std::uint8_t { kYes, kExists, kTooMany };
  virtual Begun begin(std::string_view id, seconds life) = 0;
  // False if there is no such epoch.
  virtual bool end(std::string_view id) = 0;
  // May a write of the epoch's loader replace the key? Counts the question as use. hash: of KeyRef.
  virtual WarmAnswer ask(std::string_view id, DbIndex db, std::uint64_t hash, Slot slot) = 0;
  // The command that runs is the loader's, or (kNext) the one after it is: it touches nothing.
  enum class Excuse : std::uint8_t { kNow, kNext };
  virtual void excuse(Excuse which) = 0;
  // A write of the epoch is about to be made.
  virtual void note_write(std::string_view id) = 0;
  // Somebody named the key in a command that writes, whether it was there or not. O(1).
  virtual void touch(DbIndex db, std::uint64_t hash) = 0;
  // All keys of the slot were removed at once.
  virtual void lose_slot(Slot slot) = 0;
  [[nodiscard]] virtual std::vector<WarmStatus> status() const = 0;
};

}  // namespace hearth
