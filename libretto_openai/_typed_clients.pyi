# Made by tools/build_surface.py from openai 3.57.0. Do not edit: run it again.
# The signatures are openai's, with what a strict checker holds against them.
# pyright: reportPrivateUsage=false, reportInvalidTypeVarUse=false
# pyright: reportIncompatibleVariableOverride=false
"""openai's clients and what leads from them to a model, with `libretto=`."""

from httpx2 import (
    Timeout,
)
from libretto_instrument import LibrettoConfig, LibrettoCreateParams
from libretto_instrument._config.config import CallFields
from openai import (
    AsyncAzureOpenAI as _AsyncAzureOpenAI,
    AsyncOpenAI as _AsyncOpenAI,
    AzureOpenAI as _AzureOpenAI,
    OpenAI as _OpenAI,
    _legacy_response,
)
from openai._client import (
    AsyncOpenAIWithRawResponse as _AsyncOpenAIWithRawResponse,
    AsyncOpenAIWithStreamedResponse as _AsyncOpenAIWithStreamedResponse,
    OpenAIWithRawResponse as _OpenAIWithRawResponse,
    OpenAIWithStreamedResponse as _OpenAIWithStreamedResponse,
)
from openai._data_residency import (
    DataResidency,
)
from openai._provider import (
    _Provider,
)
from openai._response import (
    async_to_streamed_response_wrapper,
    to_streamed_response_wrapper,
)
from openai._streaming import (
    AsyncStream,
    Stream,
)
from openai._types import (
    Body,
    Headers,
    NotGiven,
    Omit,
    Query,
    SequenceNotStr,
)
from openai.auth import (
    WorkloadIdentity,
    X509WorkloadIdentity,
)
from openai.lib._parsing import (
    ResponseFormatT,
)
from openai.lib._parsing._responses import (
    TextFormatT,
)
from openai.lib.azure import (
    AsyncAzureADTokenProvider,
    AzureADTokenProvider,
)
from openai.lib.streaming.chat import (
    AsyncChatCompletionStreamManager,
    ChatCompletionStreamManager,
)
from openai.lib.streaming.responses._responses import (
    AsyncResponseStreamManager,
    ResponseStreamManager,
)
from openai.resources import (
    AsyncBeta as _AsyncBeta,
    AsyncBetaWithRawResponse as _AsyncBetaWithRawResponse,
    AsyncBetaWithStreamingResponse as _AsyncBetaWithStreamingResponse,
    AsyncChat as _AsyncChat,
    AsyncChatWithRawResponse as _AsyncChatWithRawResponse,
    AsyncChatWithStreamingResponse as _AsyncChatWithStreamingResponse,
    AsyncCompletions as _AsyncCompletions,
    AsyncCompletionsWithRawResponse as _AsyncCompletionsWithRawResponse,
    AsyncCompletionsWithStreamingResponse as _AsyncCompletionsWithStreamingResponse,
    AsyncDecisions as _AsyncDecisions,
    AsyncDecisionsWithRawResponse as _AsyncDecisionsWithRawResponse,
    AsyncDecisionsWithStreamingResponse as _AsyncDecisionsWithStreamingResponse,
    Beta as _Beta,
    BetaWithRawResponse as _BetaWithRawResponse,
    BetaWithStreamingResponse as _BetaWithStreamingResponse,
    Chat as _Chat,
    ChatWithRawResponse as _ChatWithRawResponse,
    ChatWithStreamingResponse as _ChatWithStreamingResponse,
    Completions as _Completions,
    CompletionsWithRawResponse as _CompletionsWithRawResponse,
    CompletionsWithStreamingResponse as _CompletionsWithStreamingResponse,
    Decisions as _Decisions,
    DecisionsWithRawResponse as _DecisionsWithRawResponse,
    DecisionsWithStreamingResponse as _DecisionsWithStreamingResponse,
)
from openai.resources.beta import (
    AsyncResponses as _AsyncBetaResponses,
    AsyncResponsesWithRawResponse as _AsyncBetaResponsesWithRawResponse,
    AsyncResponsesWithStreamingResponse as _AsyncBetaResponsesWithStreamingResponse,
    Responses as _BetaResponses,
    ResponsesWithRawResponse as _BetaResponsesWithRawResponse,
    ResponsesWithStreamingResponse as _BetaResponsesWithStreamingResponse,
)
from openai.resources.chat import (
    AsyncCompletions as _AsyncChatCompletions,
    AsyncCompletionsWithRawResponse as _AsyncChatCompletionsWithRawResponse,
    AsyncCompletionsWithStreamingResponse as _AsyncChatCompletionsWithStreamingResponse,
    Completions as _ChatCompletions,
    CompletionsWithRawResponse as _ChatCompletionsWithRawResponse,
    CompletionsWithStreamingResponse as _ChatCompletionsWithStreamingResponse,
)
from openai.resources.responses import (
    AsyncResponses as _AsyncResponses,
    AsyncResponsesWithRawResponse as _AsyncResponsesWithRawResponse,
    AsyncResponsesWithStreamingResponse as _AsyncResponsesWithStreamingResponse,
    Responses as _Responses,
    ResponsesWithRawResponse as _ResponsesWithRawResponse,
    ResponsesWithStreamingResponse as _ResponsesWithStreamingResponse,
)
from openai.types import (
    decision_create_params,
)
from openai.types.beta import (
    response_create_params,
)
from openai.types.beta.beta_response import (
    BetaResponse,
)
from openai.types.beta.beta_response_includable import (
    BetaResponseIncludable,
)
from openai.types.beta.beta_response_input_param import (
    BetaResponseInputParam,
)
from openai.types.beta.beta_response_prompt_param import (
    BetaResponsePromptParam,
)
from openai.types.beta.beta_response_stream_event import (
    BetaResponseStreamEvent,
)
from openai.types.beta.beta_response_text_config_param import (
    BetaResponseTextConfigParam,
)
from openai.types.beta.beta_service_tier import (
    BetaServiceTier,
)
from openai.types.beta.beta_tool_param import (
    BetaToolParam,
)
from openai.types.chat import (
    ChatCompletionAudioParam,
    completion_create_params,
)
from openai.types.chat.chat_completion import (
    ChatCompletion,
)
from openai.types.chat.chat_completion_chunk import (
    ChatCompletionChunk,
)
from openai.types.chat.chat_completion_message_param import (
    ChatCompletionMessageParam,
)
from openai.types.chat.chat_completion_prediction_content_param import (
    ChatCompletionPredictionContentParam,
)
from openai.types.chat.chat_completion_stream_options_param import (
    ChatCompletionStreamOptionsParam,
)
from openai.types.chat.chat_completion_tool_choice_option_param import (
    ChatCompletionToolChoiceOptionParam,
)
from openai.types.chat.chat_completion_tool_union_param import (
    ChatCompletionToolUnionParam,
)
from openai.types.chat.parsed_chat_completion import (
    ParsedChatCompletion,
)
from openai.types.completion import (
    Completion,
)
from openai.types.decision import (
    Decision,
)
from openai.types.responses import (
    response_create_params as responses_response_create_params,
)
from openai.types.responses.parsed_response import (
    ParsedResponse,
)
from openai.types.responses.response import (
    Response,
)
from openai.types.responses.response_includable import (
    ResponseIncludable,
)
from openai.types.responses.response_input_param import (
    ResponseInputParam,
)
from openai.types.responses.response_prompt_param import (
    ResponsePromptParam,
)
from openai.types.responses.response_stream_event import (
    ResponseStreamEvent,
)
from openai.types.responses.response_text_config_param import (
    ResponseTextConfigParam,
)
from openai.types.responses.service_tier import (
    ServiceTier,
)
from openai.types.responses.tool_param import (
    ParseableToolParam,
    ToolParam,
)
from openai.types.shared.chat_model import (
    ChatModel,
)
from openai.types.shared.reasoning_effort import (
    ReasoningEffort,
)
from openai.types.shared_params.metadata import (
    Metadata,
)
from openai.types.shared_params.reasoning import (
    Reasoning,
)
from openai.types.shared_params.responses_model import (
    ResponsesModel,
)
from typing_extensions import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Iterable,
    List,
    Literal,
    Mapping,
    Optional,
    Self,
    Union,
    overload,
)
import httpx2


class _CallsOfDecisionsWithRawResponse:
    def __init__(self, decisions: Decisions) -> None:
        self.create = _legacy_response.to_raw_response_wrapper(decisions.create)

class DecisionsWithRawResponse(
    _CallsOfDecisionsWithRawResponse, _DecisionsWithRawResponse
): ...


class _CallsOfDecisionsWithStreamingResponse:
    def __init__(self, decisions: Decisions) -> None:
        self.create = to_streamed_response_wrapper(decisions.create)

class DecisionsWithStreamingResponse(
    _CallsOfDecisionsWithStreamingResponse, _DecisionsWithStreamingResponse
): ...


class Decisions(_Decisions):
    def create(
        self,
        *,
        input: Union[str, Iterable[decision_create_params.InputUnionMember1]],
        model: str,
        questions: Iterable[decision_create_params.Question],
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: Optional[decision_create_params.PromptCacheOptions] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Decision: ...
    @property
    def with_raw_response(self) -> DecisionsWithRawResponse: ...
    @property
    def with_streaming_response(self) -> DecisionsWithStreamingResponse: ...


class _CallsOfCompletionsWithRawResponse:
    def __init__(self, completions: Completions) -> None:
        self.create = _legacy_response.to_raw_response_wrapper(completions.create)

class CompletionsWithRawResponse(
    _CallsOfCompletionsWithRawResponse, _CompletionsWithRawResponse
): ...


class _CallsOfCompletionsWithStreamingResponse:
    def __init__(self, completions: Completions) -> None:
        self.create = to_streamed_response_wrapper(completions.create)

class CompletionsWithStreamingResponse(
    _CallsOfCompletionsWithStreamingResponse, _CompletionsWithStreamingResponse
): ...


class Completions(_Completions):
    @overload
    def create(
        self,
        *,
        model: Union[str, Literal['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002']],
        prompt: Union[str, SequenceNotStr[str], Iterable[int], Iterable[Iterable[int]], None],
        best_of: Optional[int] | Omit = ...,
        echo: Optional[bool] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        n: Optional[int] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        suffix: Optional[str] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Completion: ...
    @overload
    def create(
        self,
        *,
        model: Union[str, Literal['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002']],
        prompt: Union[str, SequenceNotStr[str], Iterable[int], Iterable[Iterable[int]], None],
        stream: Literal[True],
        best_of: Optional[int] | Omit = ...,
        echo: Optional[bool] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        n: Optional[int] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        suffix: Optional[str] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Stream[Completion]: ...
    @overload
    def create(
        self,
        *,
        model: Union[str, Literal['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002']],
        prompt: Union[str, SequenceNotStr[str], Iterable[int], Iterable[Iterable[int]], None],
        stream: bool,
        best_of: Optional[int] | Omit = ...,
        echo: Optional[bool] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        n: Optional[int] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        suffix: Optional[str] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Completion | Stream[Completion]: ...
    @property
    def with_raw_response(self) -> CompletionsWithRawResponse: ...
    @property
    def with_streaming_response(self) -> CompletionsWithStreamingResponse: ...


class _CallsOfChatCompletionsWithRawResponse:
    def __init__(self, completions: ChatCompletions) -> None:
        self.create = _legacy_response.to_raw_response_wrapper(completions.create)
        self.parse = _legacy_response.to_raw_response_wrapper(completions.parse)

class ChatCompletionsWithRawResponse(
    _CallsOfChatCompletionsWithRawResponse, _ChatCompletionsWithRawResponse
): ...


class _CallsOfChatCompletionsWithStreamingResponse:
    def __init__(self, completions: ChatCompletions) -> None:
        self.create = to_streamed_response_wrapper(completions.create)
        self.parse = to_streamed_response_wrapper(completions.parse)

class ChatCompletionsWithStreamingResponse(
    _CallsOfChatCompletionsWithStreamingResponse, _ChatCompletionsWithStreamingResponse
): ...


class ChatCompletions(_ChatCompletions):
    @overload
    def create(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ChatCompletion: ...
    @overload
    def create(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        stream: Literal[True],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Stream[ChatCompletionChunk]: ...
    @overload
    def create(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        stream: bool,
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ChatCompletion | Stream[ChatCompletionChunk]: ...
    def parse(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        response_format: type[ResponseFormatT] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ParsedChatCompletion[ResponseFormatT]: ...
    def stream(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | type[ResponseFormatT] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ChatCompletionStreamManager[ResponseFormatT]: ...
    @property
    def with_raw_response(self) -> ChatCompletionsWithRawResponse: ...
    @property
    def with_streaming_response(self) -> ChatCompletionsWithStreamingResponse: ...


class ChatWithRawResponse(_ChatWithRawResponse):
    @property
    def completions(self) -> ChatCompletionsWithRawResponse: ...


class ChatWithStreamingResponse(_ChatWithStreamingResponse):
    @property
    def completions(self) -> ChatCompletionsWithStreamingResponse: ...


class Chat(_Chat):
    @property
    def completions(self) -> ChatCompletions: ...
    @property
    def with_raw_response(self) -> ChatWithRawResponse: ...
    @property
    def with_streaming_response(self) -> ChatWithStreamingResponse: ...


class _CallsOfBetaResponsesWithRawResponse:
    def __init__(self, responses: BetaResponses) -> None:
        self.create = _legacy_response.to_raw_response_wrapper(responses.create)

class BetaResponsesWithRawResponse(
    _CallsOfBetaResponsesWithRawResponse, _BetaResponsesWithRawResponse
): ...


class _CallsOfBetaResponsesWithStreamingResponse:
    def __init__(self, responses: BetaResponses) -> None:
        self.create = to_streamed_response_wrapper(responses.create)

class BetaResponsesWithStreamingResponse(
    _CallsOfBetaResponsesWithStreamingResponse, _BetaResponsesWithStreamingResponse
): ...


class BetaResponses(_BetaResponses):
    @overload
    def create(
        self,
        *,
        access_programs: response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[response_create_params.Conversation] | Omit = ...,
        image: response_create_params.Image | Omit = ...,
        include: Optional[List[BetaResponseIncludable]] | Omit = ...,
        input: Union[str, BetaResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Dict[str, str]] | Omit = ...,
        model: Union[Literal['gpt-6-astra', 'gpt-6.2-astra', 'gpt-6.1-sol', 'gpt-6.2-sol', 'gpt-6.1-terra', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5.6-sol', 'gpt-5.6-terra', 'gpt-5.6-luna', 'gpt-5.5', 'gpt-5.5-2026-04-23', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-mini-2026-03-17', 'gpt-5.4-nano-2026-03-17', 'gpt-5.3-chat-latest', 'gpt-5.2', 'gpt-5.2-2025-12-11', 'gpt-5.2-chat-latest', 'gpt-5.2-pro', 'gpt-5.2-pro-2025-12-11', 'gpt-5.1', 'gpt-5.1-2025-11-13', 'gpt-5.1-codex', 'gpt-5.1-mini', 'gpt-5.1-chat-latest', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-2025-08-07', 'gpt-5-mini-2025-08-07', 'gpt-5-nano-2025-08-07', 'gpt-5-chat-latest', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'gpt-4.1-nano-2025-04-14', 'o4-mini', 'o4-mini-2025-04-16', 'o3', 'o3-2025-04-16', 'o3-mini', 'o3-mini-2025-01-31', 'o1', 'o1-2024-12-17', 'o1-preview', 'o1-preview-2024-09-12', 'o1-mini', 'o1-mini-2024-09-12', 'gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06', 'gpt-4o-2024-05-13', 'gpt-audio-mini', 'gpt-audio-mini-2025-12-15', 'gpt-4o-audio-preview', 'gpt-4o-audio-preview-2024-10-01', 'gpt-4o-audio-preview-2024-12-17', 'gpt-4o-audio-preview-2025-06-03', 'gpt-4o-mini-audio-preview', 'gpt-4o-mini-audio-preview-2024-12-17', 'gpt-4o-search-preview', 'gpt-4o-mini-search-preview', 'gpt-4o-search-preview-2025-03-11', 'gpt-4o-mini-search-preview-2025-03-11', 'chatgpt-4o-latest', 'codex-mini-latest', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-0125-preview', 'gpt-4-turbo-preview', 'gpt-4-1106-preview', 'gpt-4-vision-preview', 'gpt-4', 'gpt-4-0314', 'gpt-4-0613', 'gpt-4-32k', 'gpt-4-32k-0314', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-3.5-turbo-16k', 'gpt-3.5-turbo-0301', 'gpt-3.5-turbo-0613', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-0125', 'gpt-3.5-turbo-16k-0613', 'o1-pro', 'o1-pro-2025-03-19', 'o3-pro', 'o3-pro-2025-06-10', 'o3-deep-research', 'o3-deep-research-2025-06-26', 'o4-mini-deep-research', 'o4-mini-deep-research-2025-06-26', 'computer-use-preview', 'computer-use-preview-2025-03-11', 'gpt-5.5-pro', 'gpt-5.5-pro-2026-04-23', 'gpt-5-codex', 'gpt-5-pro', 'gpt-5-pro-2025-10-06', 'gpt-5.1-codex-max', 'gpt-daybreak-blue-latest', 'gpt-daybreak-red-latest', 'gpt-5.6-cyber', 'gpt-6-cyber', 'gpt-rosalind-research', 'gpt-6-rosalind', 'gpt-6.2-astra-law'], str] | Omit = ...,
        moderation: Optional[response_create_params.Moderation] | Omit = ...,
        multi_agent: Optional[response_create_params.MultiAgent] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[BetaResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[response_create_params.Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[BetaServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: BetaResponseTextConfigParam | Omit = ...,
        tool_choice: response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[BetaToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        betas: List[Literal['responses_multi_agent=v1']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> BetaResponse: ...
    @overload
    def create(
        self,
        *,
        stream: Literal[True],
        access_programs: response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[response_create_params.Conversation] | Omit = ...,
        image: response_create_params.Image | Omit = ...,
        include: Optional[List[BetaResponseIncludable]] | Omit = ...,
        input: Union[str, BetaResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Dict[str, str]] | Omit = ...,
        model: Union[Literal['gpt-6-astra', 'gpt-6.2-astra', 'gpt-6.1-sol', 'gpt-6.2-sol', 'gpt-6.1-terra', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5.6-sol', 'gpt-5.6-terra', 'gpt-5.6-luna', 'gpt-5.5', 'gpt-5.5-2026-04-23', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-mini-2026-03-17', 'gpt-5.4-nano-2026-03-17', 'gpt-5.3-chat-latest', 'gpt-5.2', 'gpt-5.2-2025-12-11', 'gpt-5.2-chat-latest', 'gpt-5.2-pro', 'gpt-5.2-pro-2025-12-11', 'gpt-5.1', 'gpt-5.1-2025-11-13', 'gpt-5.1-codex', 'gpt-5.1-mini', 'gpt-5.1-chat-latest', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-2025-08-07', 'gpt-5-mini-2025-08-07', 'gpt-5-nano-2025-08-07', 'gpt-5-chat-latest', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'gpt-4.1-nano-2025-04-14', 'o4-mini', 'o4-mini-2025-04-16', 'o3', 'o3-2025-04-16', 'o3-mini', 'o3-mini-2025-01-31', 'o1', 'o1-2024-12-17', 'o1-preview', 'o1-preview-2024-09-12', 'o1-mini', 'o1-mini-2024-09-12', 'gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06', 'gpt-4o-2024-05-13', 'gpt-audio-mini', 'gpt-audio-mini-2025-12-15', 'gpt-4o-audio-preview', 'gpt-4o-audio-preview-2024-10-01', 'gpt-4o-audio-preview-2024-12-17', 'gpt-4o-audio-preview-2025-06-03', 'gpt-4o-mini-audio-preview', 'gpt-4o-mini-audio-preview-2024-12-17', 'gpt-4o-search-preview', 'gpt-4o-mini-search-preview', 'gpt-4o-search-preview-2025-03-11', 'gpt-4o-mini-search-preview-2025-03-11', 'chatgpt-4o-latest', 'codex-mini-latest', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-0125-preview', 'gpt-4-turbo-preview', 'gpt-4-1106-preview', 'gpt-4-vision-preview', 'gpt-4', 'gpt-4-0314', 'gpt-4-0613', 'gpt-4-32k', 'gpt-4-32k-0314', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-3.5-turbo-16k', 'gpt-3.5-turbo-0301', 'gpt-3.5-turbo-0613', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-0125', 'gpt-3.5-turbo-16k-0613', 'o1-pro', 'o1-pro-2025-03-19', 'o3-pro', 'o3-pro-2025-06-10', 'o3-deep-research', 'o3-deep-research-2025-06-26', 'o4-mini-deep-research', 'o4-mini-deep-research-2025-06-26', 'computer-use-preview', 'computer-use-preview-2025-03-11', 'gpt-5.5-pro', 'gpt-5.5-pro-2026-04-23', 'gpt-5-codex', 'gpt-5-pro', 'gpt-5-pro-2025-10-06', 'gpt-5.1-codex-max', 'gpt-daybreak-blue-latest', 'gpt-daybreak-red-latest', 'gpt-5.6-cyber', 'gpt-6-cyber', 'gpt-rosalind-research', 'gpt-6-rosalind', 'gpt-6.2-astra-law'], str] | Omit = ...,
        moderation: Optional[response_create_params.Moderation] | Omit = ...,
        multi_agent: Optional[response_create_params.MultiAgent] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[BetaResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[response_create_params.Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[BetaServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: BetaResponseTextConfigParam | Omit = ...,
        tool_choice: response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[BetaToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        betas: List[Literal['responses_multi_agent=v1']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Stream[BetaResponseStreamEvent]: ...
    @overload
    def create(
        self,
        *,
        stream: bool,
        access_programs: response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[response_create_params.Conversation] | Omit = ...,
        image: response_create_params.Image | Omit = ...,
        include: Optional[List[BetaResponseIncludable]] | Omit = ...,
        input: Union[str, BetaResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Dict[str, str]] | Omit = ...,
        model: Union[Literal['gpt-6-astra', 'gpt-6.2-astra', 'gpt-6.1-sol', 'gpt-6.2-sol', 'gpt-6.1-terra', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5.6-sol', 'gpt-5.6-terra', 'gpt-5.6-luna', 'gpt-5.5', 'gpt-5.5-2026-04-23', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-mini-2026-03-17', 'gpt-5.4-nano-2026-03-17', 'gpt-5.3-chat-latest', 'gpt-5.2', 'gpt-5.2-2025-12-11', 'gpt-5.2-chat-latest', 'gpt-5.2-pro', 'gpt-5.2-pro-2025-12-11', 'gpt-5.1', 'gpt-5.1-2025-11-13', 'gpt-5.1-codex', 'gpt-5.1-mini', 'gpt-5.1-chat-latest', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-2025-08-07', 'gpt-5-mini-2025-08-07', 'gpt-5-nano-2025-08-07', 'gpt-5-chat-latest', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'gpt-4.1-nano-2025-04-14', 'o4-mini', 'o4-mini-2025-04-16', 'o3', 'o3-2025-04-16', 'o3-mini', 'o3-mini-2025-01-31', 'o1', 'o1-2024-12-17', 'o1-preview', 'o1-preview-2024-09-12', 'o1-mini', 'o1-mini-2024-09-12', 'gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06', 'gpt-4o-2024-05-13', 'gpt-audio-mini', 'gpt-audio-mini-2025-12-15', 'gpt-4o-audio-preview', 'gpt-4o-audio-preview-2024-10-01', 'gpt-4o-audio-preview-2024-12-17', 'gpt-4o-audio-preview-2025-06-03', 'gpt-4o-mini-audio-preview', 'gpt-4o-mini-audio-preview-2024-12-17', 'gpt-4o-search-preview', 'gpt-4o-mini-search-preview', 'gpt-4o-search-preview-2025-03-11', 'gpt-4o-mini-search-preview-2025-03-11', 'chatgpt-4o-latest', 'codex-mini-latest', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-0125-preview', 'gpt-4-turbo-preview', 'gpt-4-1106-preview', 'gpt-4-vision-preview', 'gpt-4', 'gpt-4-0314', 'gpt-4-0613', 'gpt-4-32k', 'gpt-4-32k-0314', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-3.5-turbo-16k', 'gpt-3.5-turbo-0301', 'gpt-3.5-turbo-0613', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-0125', 'gpt-3.5-turbo-16k-0613', 'o1-pro', 'o1-pro-2025-03-19', 'o3-pro', 'o3-pro-2025-06-10', 'o3-deep-research', 'o3-deep-research-2025-06-26', 'o4-mini-deep-research', 'o4-mini-deep-research-2025-06-26', 'computer-use-preview', 'computer-use-preview-2025-03-11', 'gpt-5.5-pro', 'gpt-5.5-pro-2026-04-23', 'gpt-5-codex', 'gpt-5-pro', 'gpt-5-pro-2025-10-06', 'gpt-5.1-codex-max', 'gpt-daybreak-blue-latest', 'gpt-daybreak-red-latest', 'gpt-5.6-cyber', 'gpt-6-cyber', 'gpt-rosalind-research', 'gpt-6-rosalind', 'gpt-6.2-astra-law'], str] | Omit = ...,
        moderation: Optional[response_create_params.Moderation] | Omit = ...,
        multi_agent: Optional[response_create_params.MultiAgent] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[BetaResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[response_create_params.Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[BetaServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: BetaResponseTextConfigParam | Omit = ...,
        tool_choice: response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[BetaToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        betas: List[Literal['responses_multi_agent=v1']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> BetaResponse | Stream[BetaResponseStreamEvent]: ...
    @property
    def with_raw_response(self) -> BetaResponsesWithRawResponse: ...
    @property
    def with_streaming_response(self) -> BetaResponsesWithStreamingResponse: ...


class BetaWithRawResponse(_BetaWithRawResponse):
    @property
    def responses(self) -> BetaResponsesWithRawResponse: ...


class BetaWithStreamingResponse(_BetaWithStreamingResponse):
    @property
    def responses(self) -> BetaResponsesWithStreamingResponse: ...


class Beta(_Beta):
    @property
    def chat(self) -> Chat: ...
    @property
    def responses(self) -> BetaResponses: ...
    @property
    def with_raw_response(self) -> BetaWithRawResponse: ...
    @property
    def with_streaming_response(self) -> BetaWithStreamingResponse: ...


class _CallsOfResponsesWithRawResponse:
    def __init__(self, responses: Responses) -> None:
        self.create = _legacy_response.to_raw_response_wrapper(responses.create)
        self.parse = _legacy_response.to_raw_response_wrapper(responses.parse)

class ResponsesWithRawResponse(
    _CallsOfResponsesWithRawResponse, _ResponsesWithRawResponse
): ...


class _CallsOfResponsesWithStreamingResponse:
    def __init__(self, responses: Responses) -> None:
        self.create = to_streamed_response_wrapper(responses.create)

class ResponsesWithStreamingResponse(
    _CallsOfResponsesWithStreamingResponse, _ResponsesWithStreamingResponse
): ...


class Responses(_Responses):
    @overload
    def create(
        self,
        *,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Response: ...
    @overload
    def create(
        self,
        *,
        stream: Literal[True],
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Stream[ResponseStreamEvent]: ...
    @overload
    def create(
        self,
        *,
        stream: bool,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Response | Stream[ResponseStreamEvent]: ...
    @overload
    def parse(
        self,
        *,
        text_format: type | Omit = ...,
        parse_as: type[TextFormatT] | None,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Literal[True] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ParsedResponse[TextFormatT]: ...
    @overload
    def parse(
        self,
        *,
        text_format: type[TextFormatT] | Omit = ...,
        parse_as: Omit = ...,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Literal[True] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ParsedResponse[TextFormatT]: ...
    @overload
    def stream(
        self,
        *,
        response_id: str,
        text_format: type[TextFormatT] | Omit = ...,
        starting_after: int | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ResponseStreamManager[TextFormatT]: ...
    @overload
    def stream(
        self,
        *,
        input: Union[str, ResponseInputParam],
        model: ResponsesModel,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        text_format: type[TextFormatT] | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ResponseStreamManager[TextFormatT]: ...
    @property
    def with_raw_response(self) -> ResponsesWithRawResponse: ...
    @property
    def with_streaming_response(self) -> ResponsesWithStreamingResponse: ...


class OpenAIWithRawResponse(_OpenAIWithRawResponse):
    @property
    def decisions(self) -> DecisionsWithRawResponse: ...
    @property
    def completions(self) -> CompletionsWithRawResponse: ...
    @property
    def chat(self) -> ChatWithRawResponse: ...
    @property
    def beta(self) -> BetaWithRawResponse: ...
    @property
    def responses(self) -> ResponsesWithRawResponse: ...


class OpenAIWithStreamedResponse(_OpenAIWithStreamedResponse):
    @property
    def decisions(self) -> DecisionsWithStreamingResponse: ...
    @property
    def completions(self) -> CompletionsWithStreamingResponse: ...
    @property
    def chat(self) -> ChatWithStreamingResponse: ...
    @property
    def beta(self) -> BetaWithStreamingResponse: ...
    @property
    def responses(self) -> ResponsesWithStreamingResponse: ...


class OpenAI(_OpenAI):
    def __init__(
        self,
        *,
        api_key: str | Callable[[], str] | None = ...,
        admin_api_key: str | None = ...,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        provider: _Provider | None = ...,
        base_url: str | httpx2.URL | None | NotGiven = ...,
        data_residency: DataResidency | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.Client | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    def copy(
        self,
        *,
        api_key: str | Callable[[], str] | None = ...,
        admin_api_key: str | None = ...,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = ...,
        provider: _Provider | None | NotGiven = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        base_url: str | httpx2.URL | None | NotGiven = ...,
        data_residency: DataResidency | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        http_client: httpx2.Client | None = ...,
        max_retries: int | NotGiven = ...,
        default_headers: Mapping[str, str] | None = ...,
        set_default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        set_default_query: Mapping[str, object] | None = ...,
        _enforce_credentials: bool | None = ...,
        _extra_kwargs: Mapping[str, Any] = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> Self: ...
    with_options = copy
    @property
    def decisions(self) -> Decisions: ...
    @property
    def completions(self) -> Completions: ...
    @property
    def chat(self) -> Chat: ...
    @property
    def beta(self) -> Beta: ...
    @property
    def responses(self) -> Responses: ...
    @property
    def with_raw_response(self) -> OpenAIWithRawResponse: ...
    @property
    def with_streaming_response(self) -> OpenAIWithStreamedResponse: ...


class _CallsOfAsyncDecisionsWithRawResponse:
    def __init__(self, decisions: AsyncDecisions) -> None:
        self.create = _legacy_response.async_to_raw_response_wrapper(decisions.create)

class AsyncDecisionsWithRawResponse(
    _CallsOfAsyncDecisionsWithRawResponse, _AsyncDecisionsWithRawResponse
): ...


class _CallsOfAsyncDecisionsWithStreamingResponse:
    def __init__(self, decisions: AsyncDecisions) -> None:
        self.create = async_to_streamed_response_wrapper(decisions.create)

class AsyncDecisionsWithStreamingResponse(
    _CallsOfAsyncDecisionsWithStreamingResponse, _AsyncDecisionsWithStreamingResponse
): ...


class AsyncDecisions(_AsyncDecisions):
    async def create(
        self,
        *,
        input: Union[str, Iterable[decision_create_params.InputUnionMember1]],
        model: str,
        questions: Iterable[decision_create_params.Question],
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: Optional[decision_create_params.PromptCacheOptions] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Decision: ...
    @property
    def with_raw_response(self) -> AsyncDecisionsWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncDecisionsWithStreamingResponse: ...


class _CallsOfAsyncCompletionsWithRawResponse:
    def __init__(self, completions: AsyncCompletions) -> None:
        self.create = _legacy_response.async_to_raw_response_wrapper(completions.create)

class AsyncCompletionsWithRawResponse(
    _CallsOfAsyncCompletionsWithRawResponse, _AsyncCompletionsWithRawResponse
): ...


class _CallsOfAsyncCompletionsWithStreamingResponse:
    def __init__(self, completions: AsyncCompletions) -> None:
        self.create = async_to_streamed_response_wrapper(completions.create)

class AsyncCompletionsWithStreamingResponse(
    _CallsOfAsyncCompletionsWithStreamingResponse, _AsyncCompletionsWithStreamingResponse
): ...


class AsyncCompletions(_AsyncCompletions):
    @overload
    async def create(
        self,
        *,
        model: Union[str, Literal['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002']],
        prompt: Union[str, SequenceNotStr[str], Iterable[int], Iterable[Iterable[int]], None],
        best_of: Optional[int] | Omit = ...,
        echo: Optional[bool] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        n: Optional[int] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        suffix: Optional[str] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Completion: ...
    @overload
    async def create(
        self,
        *,
        model: Union[str, Literal['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002']],
        prompt: Union[str, SequenceNotStr[str], Iterable[int], Iterable[Iterable[int]], None],
        stream: Literal[True],
        best_of: Optional[int] | Omit = ...,
        echo: Optional[bool] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        n: Optional[int] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        suffix: Optional[str] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncStream[Completion]: ...
    @overload
    async def create(
        self,
        *,
        model: Union[str, Literal['gpt-3.5-turbo-instruct', 'davinci-002', 'babbage-002']],
        prompt: Union[str, SequenceNotStr[str], Iterable[int], Iterable[Iterable[int]], None],
        stream: bool,
        best_of: Optional[int] | Omit = ...,
        echo: Optional[bool] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        n: Optional[int] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        suffix: Optional[str] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Completion | AsyncStream[Completion]: ...
    @property
    def with_raw_response(self) -> AsyncCompletionsWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncCompletionsWithStreamingResponse: ...


class _CallsOfAsyncChatCompletionsWithRawResponse:
    def __init__(self, completions: AsyncChatCompletions) -> None:
        self.create = _legacy_response.async_to_raw_response_wrapper(completions.create)
        self.parse = _legacy_response.async_to_raw_response_wrapper(completions.parse)

class AsyncChatCompletionsWithRawResponse(
    _CallsOfAsyncChatCompletionsWithRawResponse, _AsyncChatCompletionsWithRawResponse
): ...


class _CallsOfAsyncChatCompletionsWithStreamingResponse:
    def __init__(self, completions: AsyncChatCompletions) -> None:
        self.create = async_to_streamed_response_wrapper(completions.create)
        self.parse = async_to_streamed_response_wrapper(completions.parse)

class AsyncChatCompletionsWithStreamingResponse(
    _CallsOfAsyncChatCompletionsWithStreamingResponse, _AsyncChatCompletionsWithStreamingResponse
): ...


class AsyncChatCompletions(_AsyncChatCompletions):
    @overload
    async def create(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        stream: Literal[True],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncStream[ChatCompletionChunk]: ...
    @overload
    async def create(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        stream: bool,
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ChatCompletion | AsyncStream[ChatCompletionChunk]: ...
    async def parse(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        response_format: type[ResponseFormatT] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ParsedChatCompletion[ResponseFormatT]: ...
    def stream(
        self,
        *,
        messages: Iterable[ChatCompletionMessageParam],
        model: Union[str, ChatModel],
        audio: Optional[ChatCompletionAudioParam] | Omit = ...,
        response_format: completion_create_params.ResponseFormat | type[ResponseFormatT] | Omit = ...,
        frequency_penalty: Optional[float] | Omit = ...,
        function_call: completion_create_params.FunctionCall | Omit = ...,
        functions: Iterable[completion_create_params.Function] | Omit = ...,
        logit_bias: Optional[Dict[str, int]] | Omit = ...,
        logprobs: Optional[bool] | Omit = ...,
        max_completion_tokens: Optional[int] | Omit = ...,
        max_tokens: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        modalities: Optional[List[Literal['text', 'audio']]] | Omit = ...,
        moderation: Optional[completion_create_params.Moderation] | Omit = ...,
        n: Optional[int] | Omit = ...,
        parallel_tool_calls: bool | Omit = ...,
        prediction: Optional[ChatCompletionPredictionContentParam] | Omit = ...,
        presence_penalty: Optional[float] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: completion_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning_effort: Optional[ReasoningEffort] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        seed: Optional[int] | Omit = ...,
        service_tier: Optional[Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']] | Omit = ...,
        stop: Union[str, SequenceNotStr[str], None] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[ChatCompletionStreamOptionsParam] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        tool_choice: ChatCompletionToolChoiceOptionParam | Omit = ...,
        tools: Iterable[ChatCompletionToolUnionParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        web_search_options: completion_create_params.WebSearchOptions | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncChatCompletionStreamManager[ResponseFormatT]: ...
    @property
    def with_raw_response(self) -> AsyncChatCompletionsWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncChatCompletionsWithStreamingResponse: ...


class AsyncChatWithRawResponse(_AsyncChatWithRawResponse):
    @property
    def completions(self) -> AsyncChatCompletionsWithRawResponse: ...


class AsyncChatWithStreamingResponse(_AsyncChatWithStreamingResponse):
    @property
    def completions(self) -> AsyncChatCompletionsWithStreamingResponse: ...


class AsyncChat(_AsyncChat):
    @property
    def completions(self) -> AsyncChatCompletions: ...
    @property
    def with_raw_response(self) -> AsyncChatWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncChatWithStreamingResponse: ...


class _CallsOfAsyncBetaResponsesWithRawResponse:
    def __init__(self, responses: AsyncBetaResponses) -> None:
        self.create = _legacy_response.async_to_raw_response_wrapper(responses.create)

class AsyncBetaResponsesWithRawResponse(
    _CallsOfAsyncBetaResponsesWithRawResponse, _AsyncBetaResponsesWithRawResponse
): ...


class _CallsOfAsyncBetaResponsesWithStreamingResponse:
    def __init__(self, responses: AsyncBetaResponses) -> None:
        self.create = async_to_streamed_response_wrapper(responses.create)

class AsyncBetaResponsesWithStreamingResponse(
    _CallsOfAsyncBetaResponsesWithStreamingResponse, _AsyncBetaResponsesWithStreamingResponse
): ...


class AsyncBetaResponses(_AsyncBetaResponses):
    @overload
    async def create(
        self,
        *,
        access_programs: response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[response_create_params.Conversation] | Omit = ...,
        image: response_create_params.Image | Omit = ...,
        include: Optional[List[BetaResponseIncludable]] | Omit = ...,
        input: Union[str, BetaResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Dict[str, str]] | Omit = ...,
        model: Union[Literal['gpt-6-astra', 'gpt-6.2-astra', 'gpt-6.1-sol', 'gpt-6.2-sol', 'gpt-6.1-terra', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5.6-sol', 'gpt-5.6-terra', 'gpt-5.6-luna', 'gpt-5.5', 'gpt-5.5-2026-04-23', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-mini-2026-03-17', 'gpt-5.4-nano-2026-03-17', 'gpt-5.3-chat-latest', 'gpt-5.2', 'gpt-5.2-2025-12-11', 'gpt-5.2-chat-latest', 'gpt-5.2-pro', 'gpt-5.2-pro-2025-12-11', 'gpt-5.1', 'gpt-5.1-2025-11-13', 'gpt-5.1-codex', 'gpt-5.1-mini', 'gpt-5.1-chat-latest', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-2025-08-07', 'gpt-5-mini-2025-08-07', 'gpt-5-nano-2025-08-07', 'gpt-5-chat-latest', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'gpt-4.1-nano-2025-04-14', 'o4-mini', 'o4-mini-2025-04-16', 'o3', 'o3-2025-04-16', 'o3-mini', 'o3-mini-2025-01-31', 'o1', 'o1-2024-12-17', 'o1-preview', 'o1-preview-2024-09-12', 'o1-mini', 'o1-mini-2024-09-12', 'gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06', 'gpt-4o-2024-05-13', 'gpt-audio-mini', 'gpt-audio-mini-2025-12-15', 'gpt-4o-audio-preview', 'gpt-4o-audio-preview-2024-10-01', 'gpt-4o-audio-preview-2024-12-17', 'gpt-4o-audio-preview-2025-06-03', 'gpt-4o-mini-audio-preview', 'gpt-4o-mini-audio-preview-2024-12-17', 'gpt-4o-search-preview', 'gpt-4o-mini-search-preview', 'gpt-4o-search-preview-2025-03-11', 'gpt-4o-mini-search-preview-2025-03-11', 'chatgpt-4o-latest', 'codex-mini-latest', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-0125-preview', 'gpt-4-turbo-preview', 'gpt-4-1106-preview', 'gpt-4-vision-preview', 'gpt-4', 'gpt-4-0314', 'gpt-4-0613', 'gpt-4-32k', 'gpt-4-32k-0314', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-3.5-turbo-16k', 'gpt-3.5-turbo-0301', 'gpt-3.5-turbo-0613', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-0125', 'gpt-3.5-turbo-16k-0613', 'o1-pro', 'o1-pro-2025-03-19', 'o3-pro', 'o3-pro-2025-06-10', 'o3-deep-research', 'o3-deep-research-2025-06-26', 'o4-mini-deep-research', 'o4-mini-deep-research-2025-06-26', 'computer-use-preview', 'computer-use-preview-2025-03-11', 'gpt-5.5-pro', 'gpt-5.5-pro-2026-04-23', 'gpt-5-codex', 'gpt-5-pro', 'gpt-5-pro-2025-10-06', 'gpt-5.1-codex-max', 'gpt-daybreak-blue-latest', 'gpt-daybreak-red-latest', 'gpt-5.6-cyber', 'gpt-6-cyber', 'gpt-rosalind-research', 'gpt-6-rosalind', 'gpt-6.2-astra-law'], str] | Omit = ...,
        moderation: Optional[response_create_params.Moderation] | Omit = ...,
        multi_agent: Optional[response_create_params.MultiAgent] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[BetaResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[response_create_params.Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[BetaServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: BetaResponseTextConfigParam | Omit = ...,
        tool_choice: response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[BetaToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        betas: List[Literal['responses_multi_agent=v1']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> BetaResponse: ...
    @overload
    async def create(
        self,
        *,
        stream: Literal[True],
        access_programs: response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[response_create_params.Conversation] | Omit = ...,
        image: response_create_params.Image | Omit = ...,
        include: Optional[List[BetaResponseIncludable]] | Omit = ...,
        input: Union[str, BetaResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Dict[str, str]] | Omit = ...,
        model: Union[Literal['gpt-6-astra', 'gpt-6.2-astra', 'gpt-6.1-sol', 'gpt-6.2-sol', 'gpt-6.1-terra', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5.6-sol', 'gpt-5.6-terra', 'gpt-5.6-luna', 'gpt-5.5', 'gpt-5.5-2026-04-23', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-mini-2026-03-17', 'gpt-5.4-nano-2026-03-17', 'gpt-5.3-chat-latest', 'gpt-5.2', 'gpt-5.2-2025-12-11', 'gpt-5.2-chat-latest', 'gpt-5.2-pro', 'gpt-5.2-pro-2025-12-11', 'gpt-5.1', 'gpt-5.1-2025-11-13', 'gpt-5.1-codex', 'gpt-5.1-mini', 'gpt-5.1-chat-latest', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-2025-08-07', 'gpt-5-mini-2025-08-07', 'gpt-5-nano-2025-08-07', 'gpt-5-chat-latest', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'gpt-4.1-nano-2025-04-14', 'o4-mini', 'o4-mini-2025-04-16', 'o3', 'o3-2025-04-16', 'o3-mini', 'o3-mini-2025-01-31', 'o1', 'o1-2024-12-17', 'o1-preview', 'o1-preview-2024-09-12', 'o1-mini', 'o1-mini-2024-09-12', 'gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06', 'gpt-4o-2024-05-13', 'gpt-audio-mini', 'gpt-audio-mini-2025-12-15', 'gpt-4o-audio-preview', 'gpt-4o-audio-preview-2024-10-01', 'gpt-4o-audio-preview-2024-12-17', 'gpt-4o-audio-preview-2025-06-03', 'gpt-4o-mini-audio-preview', 'gpt-4o-mini-audio-preview-2024-12-17', 'gpt-4o-search-preview', 'gpt-4o-mini-search-preview', 'gpt-4o-search-preview-2025-03-11', 'gpt-4o-mini-search-preview-2025-03-11', 'chatgpt-4o-latest', 'codex-mini-latest', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-0125-preview', 'gpt-4-turbo-preview', 'gpt-4-1106-preview', 'gpt-4-vision-preview', 'gpt-4', 'gpt-4-0314', 'gpt-4-0613', 'gpt-4-32k', 'gpt-4-32k-0314', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-3.5-turbo-16k', 'gpt-3.5-turbo-0301', 'gpt-3.5-turbo-0613', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-0125', 'gpt-3.5-turbo-16k-0613', 'o1-pro', 'o1-pro-2025-03-19', 'o3-pro', 'o3-pro-2025-06-10', 'o3-deep-research', 'o3-deep-research-2025-06-26', 'o4-mini-deep-research', 'o4-mini-deep-research-2025-06-26', 'computer-use-preview', 'computer-use-preview-2025-03-11', 'gpt-5.5-pro', 'gpt-5.5-pro-2026-04-23', 'gpt-5-codex', 'gpt-5-pro', 'gpt-5-pro-2025-10-06', 'gpt-5.1-codex-max', 'gpt-daybreak-blue-latest', 'gpt-daybreak-red-latest', 'gpt-5.6-cyber', 'gpt-6-cyber', 'gpt-rosalind-research', 'gpt-6-rosalind', 'gpt-6.2-astra-law'], str] | Omit = ...,
        moderation: Optional[response_create_params.Moderation] | Omit = ...,
        multi_agent: Optional[response_create_params.MultiAgent] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[BetaResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[response_create_params.Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[BetaServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: BetaResponseTextConfigParam | Omit = ...,
        tool_choice: response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[BetaToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        betas: List[Literal['responses_multi_agent=v1']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncStream[BetaResponseStreamEvent]: ...
    @overload
    async def create(
        self,
        *,
        stream: bool,
        access_programs: response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[response_create_params.Conversation] | Omit = ...,
        image: response_create_params.Image | Omit = ...,
        include: Optional[List[BetaResponseIncludable]] | Omit = ...,
        input: Union[str, BetaResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Dict[str, str]] | Omit = ...,
        model: Union[Literal['gpt-6-astra', 'gpt-6.2-astra', 'gpt-6.1-sol', 'gpt-6.2-sol', 'gpt-6.1-terra', 'gpt-6-sol', 'gpt-6-luna', 'gpt-5.6-sol', 'gpt-5.6-terra', 'gpt-5.6-luna', 'gpt-5.5', 'gpt-5.5-2026-04-23', 'gpt-5.4', 'gpt-5.4-mini', 'gpt-5.4-nano', 'gpt-5.4-mini-2026-03-17', 'gpt-5.4-nano-2026-03-17', 'gpt-5.3-chat-latest', 'gpt-5.2', 'gpt-5.2-2025-12-11', 'gpt-5.2-chat-latest', 'gpt-5.2-pro', 'gpt-5.2-pro-2025-12-11', 'gpt-5.1', 'gpt-5.1-2025-11-13', 'gpt-5.1-codex', 'gpt-5.1-mini', 'gpt-5.1-chat-latest', 'gpt-5', 'gpt-5-mini', 'gpt-5-nano', 'gpt-5-2025-08-07', 'gpt-5-mini-2025-08-07', 'gpt-5-nano-2025-08-07', 'gpt-5-chat-latest', 'gpt-4.1', 'gpt-4.1-mini', 'gpt-4.1-nano', 'gpt-4.1-2025-04-14', 'gpt-4.1-mini-2025-04-14', 'gpt-4.1-nano-2025-04-14', 'o4-mini', 'o4-mini-2025-04-16', 'o3', 'o3-2025-04-16', 'o3-mini', 'o3-mini-2025-01-31', 'o1', 'o1-2024-12-17', 'o1-preview', 'o1-preview-2024-09-12', 'o1-mini', 'o1-mini-2024-09-12', 'gpt-4o', 'gpt-4o-2024-11-20', 'gpt-4o-2024-08-06', 'gpt-4o-2024-05-13', 'gpt-audio-mini', 'gpt-audio-mini-2025-12-15', 'gpt-4o-audio-preview', 'gpt-4o-audio-preview-2024-10-01', 'gpt-4o-audio-preview-2024-12-17', 'gpt-4o-audio-preview-2025-06-03', 'gpt-4o-mini-audio-preview', 'gpt-4o-mini-audio-preview-2024-12-17', 'gpt-4o-search-preview', 'gpt-4o-mini-search-preview', 'gpt-4o-search-preview-2025-03-11', 'gpt-4o-mini-search-preview-2025-03-11', 'chatgpt-4o-latest', 'codex-mini-latest', 'gpt-4o-mini', 'gpt-4o-mini-2024-07-18', 'gpt-4-turbo', 'gpt-4-turbo-2024-04-09', 'gpt-4-0125-preview', 'gpt-4-turbo-preview', 'gpt-4-1106-preview', 'gpt-4-vision-preview', 'gpt-4', 'gpt-4-0314', 'gpt-4-0613', 'gpt-4-32k', 'gpt-4-32k-0314', 'gpt-4-32k-0613', 'gpt-3.5-turbo', 'gpt-3.5-turbo-16k', 'gpt-3.5-turbo-0301', 'gpt-3.5-turbo-0613', 'gpt-3.5-turbo-1106', 'gpt-3.5-turbo-0125', 'gpt-3.5-turbo-16k-0613', 'o1-pro', 'o1-pro-2025-03-19', 'o3-pro', 'o3-pro-2025-06-10', 'o3-deep-research', 'o3-deep-research-2025-06-26', 'o4-mini-deep-research', 'o4-mini-deep-research-2025-06-26', 'computer-use-preview', 'computer-use-preview-2025-03-11', 'gpt-5.5-pro', 'gpt-5.5-pro-2026-04-23', 'gpt-5-codex', 'gpt-5-pro', 'gpt-5-pro-2025-10-06', 'gpt-5.1-codex-max', 'gpt-daybreak-blue-latest', 'gpt-daybreak-red-latest', 'gpt-5.6-cyber', 'gpt-6-cyber', 'gpt-rosalind-research', 'gpt-6-rosalind', 'gpt-6.2-astra-law'], str] | Omit = ...,
        moderation: Optional[response_create_params.Moderation] | Omit = ...,
        multi_agent: Optional[response_create_params.MultiAgent] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[BetaResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[response_create_params.Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[BetaServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: BetaResponseTextConfigParam | Omit = ...,
        tool_choice: response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[BetaToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        betas: List[Literal['responses_multi_agent=v1']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> BetaResponse | AsyncStream[BetaResponseStreamEvent]: ...
    @property
    def with_raw_response(self) -> AsyncBetaResponsesWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncBetaResponsesWithStreamingResponse: ...


class AsyncBetaWithRawResponse(_AsyncBetaWithRawResponse):
    @property
    def responses(self) -> AsyncBetaResponsesWithRawResponse: ...


class AsyncBetaWithStreamingResponse(_AsyncBetaWithStreamingResponse):
    @property
    def responses(self) -> AsyncBetaResponsesWithStreamingResponse: ...


class AsyncBeta(_AsyncBeta):
    @property
    def chat(self) -> AsyncChat: ...
    @property
    def responses(self) -> AsyncBetaResponses: ...
    @property
    def with_raw_response(self) -> AsyncBetaWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncBetaWithStreamingResponse: ...


class _CallsOfAsyncResponsesWithRawResponse:
    def __init__(self, responses: AsyncResponses) -> None:
        self.create = _legacy_response.async_to_raw_response_wrapper(responses.create)
        self.parse = _legacy_response.async_to_raw_response_wrapper(responses.parse)

class AsyncResponsesWithRawResponse(
    _CallsOfAsyncResponsesWithRawResponse, _AsyncResponsesWithRawResponse
): ...


class _CallsOfAsyncResponsesWithStreamingResponse:
    def __init__(self, responses: AsyncResponses) -> None:
        self.create = async_to_streamed_response_wrapper(responses.create)

class AsyncResponsesWithStreamingResponse(
    _CallsOfAsyncResponsesWithStreamingResponse, _AsyncResponsesWithStreamingResponse
): ...


class AsyncResponses(_AsyncResponses):
    @overload
    async def create(
        self,
        *,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Response: ...
    @overload
    async def create(
        self,
        *,
        stream: Literal[True],
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncStream[ResponseStreamEvent]: ...
    @overload
    async def create(
        self,
        *,
        stream: bool,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> Response | AsyncStream[ResponseStreamEvent]: ...
    @overload
    async def parse(
        self,
        *,
        text_format: type | Omit = ...,
        parse_as: type[TextFormatT] | None,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Literal[True] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ParsedResponse[TextFormatT]: ...
    @overload
    async def parse(
        self,
        *,
        text_format: type[TextFormatT] | Omit = ...,
        parse_as: Omit = ...,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        input: Union[str, ResponseInputParam] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        model: ResponsesModel | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream: Optional[Literal[False]] | Literal[True] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        verbosity: Optional[Literal['low', 'medium', 'high']] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> ParsedResponse[TextFormatT]: ...
    @overload
    def stream(
        self,
        *,
        response_id: str,
        text_format: type[TextFormatT] | Omit = ...,
        starting_after: int | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncResponseStreamManager[TextFormatT]: ...
    @overload
    def stream(
        self,
        *,
        input: Union[str, ResponseInputParam],
        model: ResponsesModel,
        access_programs: responses_response_create_params.AccessPrograms | Omit = ...,
        background: Optional[bool] | Omit = ...,
        background_options: responses_response_create_params.BackgroundOptions | Omit = ...,
        context_management: Optional[Iterable[responses_response_create_params.ContextManagement]] | Omit = ...,
        text_format: type[TextFormatT] | Omit = ...,
        tools: Iterable[ParseableToolParam] | Omit = ...,
        conversation: Optional[responses_response_create_params.Conversation] | Omit = ...,
        image: responses_response_create_params.Image | Omit = ...,
        include: Optional[List[ResponseIncludable]] | Omit = ...,
        instructions: Optional[str] | Omit = ...,
        max_output_tokens: Optional[int] | Omit = ...,
        max_tool_calls: Optional[int] | Omit = ...,
        metadata: Optional[Metadata] | Omit = ...,
        parallel_tool_calls: Optional[bool] | Omit = ...,
        moderation: Optional[responses_response_create_params.Moderation] | Omit = ...,
        previous_response_id: Optional[str] | Omit = ...,
        prompt: Optional[ResponsePromptParam] | Omit = ...,
        prompt_cache_key: Optional[str] | Omit = ...,
        prompt_cache_options: responses_response_create_params.PromptCacheOptions | Omit = ...,
        prompt_cache_retention: Optional[Literal['in_memory', '24h']] | Omit = ...,
        reasoning: Optional[Reasoning] | Omit = ...,
        safety_identifier: Optional[str] | Omit = ...,
        service_tier: Optional[ServiceTier] | Omit = ...,
        store: Optional[bool] | Omit = ...,
        stream_options: Optional[responses_response_create_params.StreamOptions] | Omit = ...,
        temperature: Optional[float] | Omit = ...,
        text: ResponseTextConfigParam | Omit = ...,
        tool_choice: responses_response_create_params.ToolChoice | Omit = ...,
        top_logprobs: Optional[int] | Omit = ...,
        top_p: Optional[float] | Omit = ...,
        truncation: Optional[Literal['auto', 'disabled']] | Omit = ...,
        user: str | Omit = ...,
        extra_headers: Headers | None = ...,
        extra_query: Query | None = ...,
        extra_body: Body | None = ...,
        timeout: float | httpx2.Timeout | None | NotGiven = ...,
        libretto: LibrettoCreateParams | CallFields | None = ...,
    ) -> AsyncResponseStreamManager[TextFormatT]: ...
    @property
    def with_raw_response(self) -> AsyncResponsesWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncResponsesWithStreamingResponse: ...


class AsyncOpenAIWithRawResponse(_AsyncOpenAIWithRawResponse):
    @property
    def decisions(self) -> AsyncDecisionsWithRawResponse: ...
    @property
    def completions(self) -> AsyncCompletionsWithRawResponse: ...
    @property
    def chat(self) -> AsyncChatWithRawResponse: ...
    @property
    def beta(self) -> AsyncBetaWithRawResponse: ...
    @property
    def responses(self) -> AsyncResponsesWithRawResponse: ...


class AsyncOpenAIWithStreamedResponse(_AsyncOpenAIWithStreamedResponse):
    @property
    def decisions(self) -> AsyncDecisionsWithStreamingResponse: ...
    @property
    def completions(self) -> AsyncCompletionsWithStreamingResponse: ...
    @property
    def chat(self) -> AsyncChatWithStreamingResponse: ...
    @property
    def beta(self) -> AsyncBetaWithStreamingResponse: ...
    @property
    def responses(self) -> AsyncResponsesWithStreamingResponse: ...


class AsyncOpenAI(_AsyncOpenAI):
    def __init__(
        self,
        *,
        api_key: str | Callable[[], Awaitable[str]] | None = ...,
        admin_api_key: str | None = ...,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        provider: _Provider | None = ...,
        base_url: str | httpx2.URL | None | NotGiven = ...,
        data_residency: DataResidency | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.AsyncClient | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    def copy(
        self,
        *,
        api_key: str | Callable[[], Awaitable[str]] | None = ...,
        admin_api_key: str | None = ...,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = ...,
        provider: _Provider | None | NotGiven = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        base_url: str | httpx2.URL | None | NotGiven = ...,
        data_residency: DataResidency | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        http_client: httpx2.AsyncClient | None = ...,
        max_retries: int | NotGiven = ...,
        default_headers: Mapping[str, str] | None = ...,
        set_default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        set_default_query: Mapping[str, object] | None = ...,
        _enforce_credentials: bool | None = ...,
        _extra_kwargs: Mapping[str, Any] = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> Self: ...
    with_options = copy
    @property
    def decisions(self) -> AsyncDecisions: ...
    @property
    def completions(self) -> AsyncCompletions: ...
    @property
    def chat(self) -> AsyncChat: ...
    @property
    def beta(self) -> AsyncBeta: ...
    @property
    def responses(self) -> AsyncResponses: ...
    @property
    def with_raw_response(self) -> AsyncOpenAIWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncOpenAIWithStreamedResponse: ...


class AzureOpenAI(_AzureOpenAI):
    @overload
    def __init__(
        self,
        *,
        azure_endpoint: str,
        azure_deployment: str | None = ...,
        api_version: str | None = ...,
        api_key: str | Callable[[], str] | None = ...,
        admin_api_key: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AzureADTokenProvider | None = ...,
        organization: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.Client | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        azure_deployment: str | None = ...,
        api_version: str | None = ...,
        api_key: str | Callable[[], str] | None = ...,
        admin_api_key: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AzureADTokenProvider | None = ...,
        organization: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.Client | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        base_url: str,
        api_version: str | None = ...,
        api_key: str | Callable[[], str] | None = ...,
        admin_api_key: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AzureADTokenProvider | None = ...,
        organization: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.Client | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    def copy(
        self,
        *,
        api_key: str | Callable[[], str] | None = ...,
        admin_api_key: str | None = ...,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = ...,
        provider: _Provider | None | NotGiven = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        api_version: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AzureADTokenProvider | None = ...,
        base_url: str | httpx2.URL | None | NotGiven = ...,
        data_residency: DataResidency | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        http_client: httpx2.Client | None = ...,
        max_retries: int | NotGiven = ...,
        default_headers: Mapping[str, str] | None = ...,
        set_default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        set_default_query: Mapping[str, object] | None = ...,
        _enforce_credentials: bool | None = ...,
        _extra_kwargs: Mapping[str, Any] = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> Self: ...
    with_options = copy
    @property
    def decisions(self) -> Decisions: ...
    @property
    def completions(self) -> Completions: ...
    @property
    def chat(self) -> Chat: ...
    @property
    def beta(self) -> Beta: ...
    @property
    def responses(self) -> Responses: ...
    @property
    def with_raw_response(self) -> OpenAIWithRawResponse: ...
    @property
    def with_streaming_response(self) -> OpenAIWithStreamedResponse: ...


class AsyncAzureOpenAI(_AsyncAzureOpenAI):
    @overload
    def __init__(
        self,
        *,
        azure_endpoint: str,
        azure_deployment: str | None = ...,
        api_version: str | None = ...,
        api_key: str | Callable[[], Awaitable[str]] | None = ...,
        admin_api_key: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AsyncAzureADTokenProvider | None = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.AsyncClient | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        azure_deployment: str | None = ...,
        api_version: str | None = ...,
        api_key: str | Callable[[], Awaitable[str]] | None = ...,
        admin_api_key: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AsyncAzureADTokenProvider | None = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.AsyncClient | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        base_url: str,
        api_version: str | None = ...,
        api_key: str | Callable[[], Awaitable[str]] | None = ...,
        admin_api_key: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AsyncAzureADTokenProvider | None = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        max_retries: int = ...,
        default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        http_client: httpx2.AsyncClient | None = ...,
        _strict_response_validation: bool = ...,
        _enforce_credentials: bool = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> None: ...
    def copy(
        self,
        *,
        api_key: str | Callable[[], Awaitable[str]] | None = ...,
        admin_api_key: str | None = ...,
        workload_identity: WorkloadIdentity | X509WorkloadIdentity | None = ...,
        provider: _Provider | None | NotGiven = ...,
        organization: str | None = ...,
        project: str | None = ...,
        webhook_secret: str | None = ...,
        websocket_base_url: str | httpx2.URL | None = ...,
        api_version: str | None = ...,
        azure_ad_token: str | None = ...,
        azure_ad_token_provider: AsyncAzureADTokenProvider | None = ...,
        base_url: str | httpx2.URL | None | NotGiven = ...,
        data_residency: DataResidency | None = ...,
        timeout: float | Timeout | None | NotGiven = ...,
        http_client: httpx2.AsyncClient | None = ...,
        max_retries: int | NotGiven = ...,
        default_headers: Mapping[str, str] | None = ...,
        set_default_headers: Mapping[str, str] | None = ...,
        default_query: Mapping[str, object] | None = ...,
        set_default_query: Mapping[str, object] | None = ...,
        _enforce_credentials: bool | None = ...,
        _extra_kwargs: Mapping[str, Any] = ...,
        libretto: LibrettoConfig | None = ...,
    ) -> Self: ...
    with_options = copy
    @property
    def decisions(self) -> AsyncDecisions: ...
    @property
    def completions(self) -> AsyncCompletions: ...
    @property
    def chat(self) -> AsyncChat: ...
    @property
    def beta(self) -> AsyncBeta: ...
    @property
    def responses(self) -> AsyncResponses: ...
    @property
    def with_raw_response(self) -> AsyncOpenAIWithRawResponse: ...
    @property
    def with_streaming_response(self) -> AsyncOpenAIWithStreamedResponse: ...
