"""The tokenizer that belongs to an encoder."""

from stance.encoders import find_encoder
from stance.encoding import PairTokenizer
from stance.errors import ConfigError
from stance.settings import ModelSettings


def load_tokenizer(model: ModelSettings) -> PairTokenizer:
    """Return the tokenizer of the encoder.

    Raises:
        ConfigError: It can't be loaded.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(find_encoder(model.encoder), trust_remote_code=False)
        given = tokenizer.backend_tokenizer.to_str()
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"model.encoder: no tokenizer for '{model.encoder}': {str(error).splitlines()[0]}") from error
    return PairTokenizer(
        given, max_length=model.max_length, input_form=model.input_form, pad_id=int(tokenizer.pad_token_id or 0)
    )
