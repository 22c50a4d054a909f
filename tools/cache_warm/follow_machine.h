// Follow without sockets: changes go in, operations for the cache and questions to the database
// come out, and with them the position up to which the stream may be confirmed.
//
// Order: operations on one key are sent in the order of the changes. Rows that must be read again
// are collected, because one query for many is cheap, and read before
//   - another change touches one of their keys,
//   - kWantedMax of them are waiting, or
//   - the stream has nothing more at hand (`settle`).
// A read sees at least what the stream had delivered when it began, so its document is never older
// than a change that was taken before it.
//
// Confirmed: a commit counts once all that it and the commits before it asked for was read, sent
// and acknowledged. Everything behind it comes again after a crash, which is harmless: the same
// documents are written again, and the last change of a key is the last one again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

#include "tools/cache_warm/ack_ledger.h"
#include "tools/cache_warm/change_router.h"
#include "tools/cache_warm/report.h"
#include "tools/cache_warm/sink.h"

namespace hearth::warm {

// The things that need a connection.
class FollowPort {
 public:
  virtual ~FollowPort() = default;
  // Reads the rows of a mapping whose `columns` have one of the values, once the database shows all
  // of the transactions, and hands over their units. Errors: kInvalid, kIo, kBusy.
  virtual Result<void> read_rows(std::size_t mapping, const std::vector<std::string>& columns,
                                 const std::vector<std::vector<std::string>>& values,
                                 std::span<const std::uint64_t> transactions,
                                 const std::function<Result<void>(const Unit&)>& take) = 0;
  // Deletes all keys of a mapping. Every operation before is acknowledged. Errors: kIo, kBusy.
  virtual Result<std::uint64_t> erase_keys(std::size_t mapping) = 0;
  virtual void report(std::size_t mapping, std::string_view key, std::string_view reason) = 0;
};

struct FollowCounts {
  std::uint64_t changes = 0;       // of rows
  std::uint64_t transactions = 0;  // commits that had such changes
  std::uint64_t rows_read_again = 0;
};

class FollowMachine final : public client::CompletionSink, private ChangeEffects {
 public:
  static constexpr std::size_t kWantedMax = 256;

  FollowMachine(const std::vector<Mapping>& mappings, ChangeRouter& router, FollowPort& port);
  // The sink tells fates to this object; so it is made after it.
  void send_to(RowSink& sink) { sink_ = &sink; }

  // Errors: those of the sink and the port; kInvalid or kNotFound (see ChangeRouter::route).
  Result<void> take(const Change& change, UnixMillis now);
  // Writes of a row that was found without a change: it is there, and this is its document.
  Result<void> put(std::size_t mapping, const Unit& unit);
  // Reads what is to be read again. Call it when the stream has nothing more at hand.
  Result<void> settle();

  // The position that was reached since the last call.
  std::optional<AckLedger::Mark> take_reached() { return ledger_.take_reached(); }
  [[nodiscard]] std::size_t open() const { return ledger_.open(); }
  [[nodiscard]] std::optional<UnixMillis> oldest_commit() const { return ledger_.oldest_commit(); }
  [[nodiscard]] const FollowCounts& counts() const { return counts_; }
  // By mapping; rows_read counts units.
  [[nodiscard]] const std::vector<MappingTally>& tallies() const { return tallies_; }

  void on_done(std::uint64_t tag) override;
  void on_reply(std::uint64_t tag, RespValue) override { on_done(tag); }
  void on_refused(std::uint64_t tag, std::string_view key, std::string_view error) override;

 private:
  // Rows of one mapping that are to be read again by one choice of columns.
  struct Batch {
    std::size_t mapping = 0;
    const std::vector<std::string>* columns = nullptr;
    std::vector<std::vector<std::string>> values{};
    std::unordered_set<std::string> seen{};  // the values, as one text
    std::unordered_set<std::string> keys{};  // deleted unless the rows have them
  };

  Result<void> write(std::size_t mapping, const Write& write) override;
  Result<void> erase(std::size_t mapping, std::string_view key) override;
  Result<void> read_again(std::size_t mapping, RowsWanted wanted) override;
  Result<void> erase_all(std::size_t mapping) override;
  void reject(std::size_t mapping, std::string_view key, std::string_view reason) override;

  Result<void> submit(std::size_t mapping, std::string_view bytes, std::string_view key, Slot slot,
                      bool is_delete);
  Result<void> settle_key(std::string_view key);
  Result<void> read_batch(Batch& batch);

  FollowPort& port_;
  ChangeRouter& router_;
  const std::vector<Mapping>& mappings_;
  RowSink* sink_ = nullptr;
  AckLedger ledger_;
  std::vector<Batch> wanted_;
  std::size_t wanted_count_ = 0;
  std::unordered_set<std::string> wanted_keys_;
  std::vector<std::uint64_t> transactions_;  // of what is to be read again
  std::optional<AckLedger::Mark> mark_;      // behind what is to be read again
  std::uint64_t transaction_ = 0;            // of the change at hand
  bool has_rows_ = false;                    // since the last commit
  std::string command_;
  std::vector<MappingTally> tallies_;
  FollowCounts counts_;
};

}  // namespace hearth::warm
