"""The tokenizer that belongs to an encoder."""

from pathlib import Path

from stance.encoders import find_encoder
from stance.encoding import PairTokenizer
from stance.errors import ConfigError
from stance.settings import ModelSettings


def load_tokenizer(model: ModelSettings) -> PairTokenizer:
    """Return the tokenizer of the encoder.

    Raises:
        ConfigError: It can't be loaded, or knows no words.
    """
    from transformers import AutoTokenizer

    folder = find_encoder(model.encoder)
    own = Path(folder) / "tokenizer.json"  # read as it is: transformers may rebuild it otherwise, as in small letters
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        given = own.read_text("utf-8") if own.is_file() else tokenizer.backend_tokenizer.to_str()
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"model.encoder: no tokenizer for '{model.encoder}': {str(error).splitlines()[0]}") from error
    if not own.is_file() and len(tokenizer) <= len(tokenizer.all_special_tokens):
        raise ConfigError(f"model.encoder: '{model.encoder}' has no tokenizer.json and no vocabulary. Add its own")
    return PairTokenizer(
        given, max_length=model.max_length, input_form=model.input_form, pad_id=int(tokenizer.pad_token_id or 0)
    )
