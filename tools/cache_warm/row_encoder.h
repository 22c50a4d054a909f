// Turns rows into operations: key, value, time to live, as the bytes of commands.
//
//   string, json   SET key value [PX ms]
//   hash           [DEL key] HSET key field value ... [PEXPIRE key ms]
//
// The commands of a hash are sent together but are not one transaction: for a moment a reader may
// see the hash missing, or without its time to live.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "tools/cache_warm/buffer.h"
#include "tools/cache_warm/mapping.h"
#include "tools/cache_warm/row.h"
#include "tools/client/operation.h"

namespace hearth::warm {

enum class RowOutcome : std::uint8_t {
  kEncoded,
  kExpired,  // its time to live is zero or less: nothing to store
  kBad,
};

class RowEncoder {
 public:
  // Longer keys are a mistake in the mapping rather than keys.
  static constexpr std::size_t kKeyBytesMax = 64 * 1024;

  // Looks up every column the mapping names. Errors: kInvalid, naming mapping and column.
  static Result<RowEncoder> bind(const Mapping& mapping, const std::vector<Column>& columns);

  // Encodes one row; afterwards the accessors tell about it, until the next call.
  RowOutcome encode(Row row);

  // Of an encoded row. The bytes are borrowed from the encoder.
  [[nodiscard]] client::Operation operation() const;
  // The key, also of a bad row if it has one.
  [[nodiscard]] std::string_view key() const { return key_.view(); }
  // Of an encoded string or JSON row, without protocol; of a hash, the HSET command's bytes.
  [[nodiscard]] std::string_view value() const { return value_.view(); }
  [[nodiscard]] std::optional<milliseconds> ttl() const { return row_ttl_; }
  // Of a bad row: why.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  struct Field {
    std::size_t index;
    std::string name;
    std::string json_prefix;  // "name": with the quotes and the colon
    std::string hash_prefix;  // the name as a RESP bulk
    bool holds_json = false;
  };

  explicit RowEncoder(const Mapping& mapping) : mapping_(&mapping) {}
  Result<void> bind_fields(const std::vector<Column>& columns);

  RowOutcome bad(std::string problem);
  bool encode_ttl(Row row, bool& expired);
  bool encode_string(Row row);
  bool encode_json(Row row);
  bool encode_json_cell(const Field& field, const Cell& cell);
  bool encode_hash(Row row);
  void frame_string();
  void frame_hash();

  const Mapping* mapping_;  // outlives the encoder
  KeyTemplate key_template_;
  std::vector<std::string> names_;  // of all columns, for messages
  std::vector<Field> fields_;
  std::size_t value_column_ = 0;
  std::size_t ttl_column_ = 0;

  Buffer key_;
  Buffer value_;
  Buffer cell_;
  Buffer command_;
  std::size_t key_begin_ = 0;
  std::size_t hash_fields_ = 0;
  std::uint16_t commands_ = 0;
  std::optional<milliseconds> row_ttl_;
  std::string problem_;
};

}  // namespace hearth::warm
