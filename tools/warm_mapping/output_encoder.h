// Turns rows into one command on one key, as one output of a mapping says.
//
//   string, json            SET key value [PX ms | PXAT ms] [NX] [WARM epoch]
//   hash, list, set, zset   RESTORE key ms payload [REPLACE] [ABSTTL] [WARM epoch]
//   hash that is added to   HSET key field value ..., with a time to live EVAL of HSET and PEXPIRE;
//                           in a warm epoch the same with HSETEX key WARM epoch FIELDS ...
//   deleted rows            DEL key
//
// Each is atomic: a reader sees the old value or the new one, and a refused write leaves the old.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/base/result.h"
#include "tools/warm_mapping/buffer.h"
#include "tools/warm_mapping/lifetime.h"
#include "tools/warm_mapping/mapping.h"
#include "tools/warm_mapping/row.h"
#include "tools/warm_mapping/write.h"

namespace hearth::warm {

class OutputEncoder {
 public:
  // Longer keys are a mistake in the mapping rather than keys.
  static constexpr std::size_t kKeyBytesMax = 64 * 1024;

  enum class State : std::uint8_t {
    kStore,    // there is a value to store
    kDelete,   // the key is to be deleted
    kExpired,  // its time to live is over
    kSkipped,  // NULL, and the mapping says to pass over it
    kBad,
  };

  // Looks up every column that the output names. Errors: kInvalid, naming mapping and column.
  static Result<OutputEncoder> bind(const Mapping& mapping, const Output& output,
                                    const std::vector<Column>& columns);

  // Begins a value with its first row; `is_deleted`: the row says that it is no more.
  State begin(Row row, bool is_deleted, UnixMillis now);
  // Adds another row with the same key.
  State add(Row row);
  // Appends the command to `out`. Only in the states kStore and kDelete; may turn to kBad.
  State finish(Buffer& out, bool with_fingerprint);

  // Of a finished value; positions are those in the buffer, so they stay when it grows.
  [[nodiscard]] Write write(std::string_view commands) const;

  [[nodiscard]] State state() const { return state_; }
  // The key, also of a bad row if it has one.
  [[nodiscard]] std::string_view key() const { return key_.view(); }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  struct Field {
    std::size_t index = 0;
    std::string name;
    std::string json_prefix;  // ,"name": with the quotes and the colon
    bool holds_json = false;
  };
  struct Item {
    std::size_t begin = 0;  // in value_
    std::size_t size = 0;
    double score = 0;
  };

  OutputEncoder(const Mapping& mapping, const Output& output)
      : mapping_(&mapping), output_(&output) {}
  Result<std::size_t> column(const std::vector<Column>& columns, std::string_view name) const;
  Result<std::vector<Field>> bind_fields(const std::vector<Column>& columns,
                                         const std::vector<FieldSpec>& wanted) const;
  Result<std::vector<FieldSpec>> wanted_fields(const std::vector<Column>& columns) const;

  State bad(std::string problem);
  State null_value(std::string_view column_name);
  State encode_key(Row row);
  State encode_lifetime(Row row, UnixMillis now);
  State encode_string(Row row);
  State encode_json(Row row);
  State encode_hash(Row row);
  State add_embedded(Row row);
  State add_items(Row row);
  State add_item(const Cell& cell, double score);
  bool append_object(Row row, const std::vector<Field>& fields);
  void sort_members();
  void frame_set(Buffer& out);
  void frame_payload(Buffer& out);
  void frame_added_hash(Buffer& out);
  void begin_command(Buffer& out, std::size_t arguments, std::string_view name);
  [[nodiscard]] std::size_t epoch_words() const { return mapping_->epoch.empty() ? 0 : 2; }
  void append_epoch(Buffer& out) const;
  [[nodiscard]] std::uint64_t fingerprint() const;

  const Mapping* mapping_;  // outlive the encoder
  const Output* output_;
  KeyTemplate key_template_;
  std::vector<std::string> names_;  // of all columns, for messages
  std::vector<Field> fields_;
  std::vector<Field> embedded_;
  std::size_t value_column_ = 0;
  std::size_t score_column_ = 0;
  std::size_t life_column_ = 0;

  State state_ = State::kSkipped;
  Buffer key_;
  Buffer value_;
  Buffer payload_;
  Buffer cell_;
  std::vector<Item> items_;
  std::uint64_t count_ = 0;  // fields of a hash
  bool has_embedded_ = false;
  Lifetime life_;
  std::string problem_;
  std::pair<std::size_t, std::size_t> command_span_;  // begin, size, in the buffer of finish()
  std::size_t key_begin_ = 0;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace hearth::warm
